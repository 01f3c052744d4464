//! Where the model is that came with the command.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bert_xml_core::model_folder::SHIPPED_MANIFEST;

use crate::error::hinted;

/// Names the folder of the model to use where no `--model` is given.
pub const VARIABLE: &str = "BERT_XML_MODEL";

/// The bundled model's name in an install or a workspace.
const FOLDER: &str = "model";

/// What is asked when no `--model` is given: the folder that `BERT_XML_MODEL` names, whatever it holds; then `model/`
/// beside the executable, in a folder above it or in `share/bert-xml/` of one (an install, a build in the workspace);
/// then the workspace that the command was built in.
///
/// # Errors
/// None of them has a shipped model.
pub fn bundled_model() -> Result<PathBuf> {
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let executable = env::current_exe().ok();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    look_up(named, executable.as_deref(), built_in)
}

fn look_up(named: Option<PathBuf>, executable: Option<&Path>, workspace: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named);
    }
    let above = executable.into_iter().flat_map(|path| path.ancestors().skip(1));
    let folders = above.flat_map(|folder| [folder.join(FOLDER), folder.join("share/bert-xml").join(FOLDER)]);
    folders
        .chain(workspace.map(|folder| folder.join(FOLDER)))
        .find(|folder| folder.join(SHIPPED_MANIFEST).is_file() && folder.join("labels.tsv").is_file())
        .ok_or_else(|| {
            hinted(
                "no model given, and none came with this command",
                format!("name a model folder by --model or by the environment variable {VARIABLE}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_variable_comes_first_then_an_install_then_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let executable = path("opt/bin/bert-xml");
        let find = |named: Option<&str>| look_up(named.map(path), Some(&executable), Some(folder.path()));
        let error = find(None).unwrap_err();
        assert!(error.to_string().starts_with("no model given"), "{error}");
        for place in ["model", "opt/share/bert-xml/model", "opt/bin/model"] {
            fs::create_dir_all(path(place)).unwrap();
            fs::write(path(place).join("manifest.json"), "{}").unwrap();
            assert_ne!(find(None).ok(), Some(path(place)), "a manifest alone may be anybody's");
            fs::write(path(place).join("labels.tsv"), "").unwrap();
            assert_eq!(find(None).unwrap(), path(place));
        }
        assert_eq!(
            find(Some("mine")).unwrap(),
            path("mine"),
            "what is named is taken, so that its error is told"
        );
    }
}
