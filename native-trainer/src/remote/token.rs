//! The token that a worker asks for: out of a file or the environment, never on a command line, where every user of the
//! machine could read it.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::error::hinted;

/// The environment's name for a file that holds the token.
pub const TOKEN_FILE: &str = "BERT_XML_TOKEN_FILE";
/// The environment's name for the token itself.
pub const TOKEN: &str = "BERT_XML_TOKEN";
/// The environment's name for how Iroh finds a worker that cannot be dialled.
pub const RELAYS: &str = "BERT_XML_RELAYS";

/// The fewest bytes of a token.
const LEAST_BYTES: usize = 16;

/// The token: from `file`, else from the file that the environment names, else from the environment.
///
/// # Errors
/// None of them is there, the file cannot be read, or what it holds is too short to keep anybody out.
pub fn read(file: Option<&Path>) -> Result<String> {
    let named = file.map(Path::to_owned).or_else(|| std::env::var_os(TOKEN_FILE).map(Into::into));
    let (token, from) = match (named, std::env::var(TOKEN)) {
        (Some(path), _) => {
            let token =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            (token, path.display().to_string())
        }
        (None, Ok(token)) => (token, TOKEN.to_owned()),
        (None, Err(_)) => {
            return Err(hinted(
                "worker and trainer share a token, and none was given",
                format!(
                    "make one with `openssl rand -hex 32 > token` and name it by {TOKEN_FILE}=token on both sides"
                ),
            ));
        }
    };
    let token = token.trim().to_owned();
    if token.len() < LEAST_BYTES {
        return Err(hinted(
            format!("the token of {from} has {} bytes: at least {LEAST_BYTES} are asked for", token.len()),
            "make one with `openssl rand -hex 32 > token`",
        ));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_without_its_line_end_and_must_be_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        assert_eq!(read(Some(&path)).unwrap(), "0123456789abcdef");
        std::fs::write(&path, "secret\n").unwrap();
        let error = read(Some(&path)).unwrap_err().to_string();
        assert!(
            error.ends_with("has 6 bytes: at least 16 are asked for") && !error.contains("secret"),
            "{error}"
        );
        assert!(
            format!("{:#}", read(Some(&folder.path().join("none"))).unwrap_err()).starts_with("reading ")
        );
    }
}
