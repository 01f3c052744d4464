//! What this machine has of what the project needs: looked up in seconds, nothing built or fetched.

use std::{env, path::Path, process::Command};

use crate::{program, wasm_target};

/// One need.
pub struct Need {
    /// What it is.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Whether the demo cannot do without it.
    pub required: bool,
    /// What was found, or why that does not do.
    pub found: Result<String, String>,
    /// The one command (or deed) that brings it.
    pub remedy: String,
}

const GIB: u64 = 1 << 30;
/// A full build of dependencies, tests and demo.
const DISK: u64 = 6 * GIB;
/// What is asked for of it where most is built already.
const DISK_LEFT: u64 = GIB;
/// Two compilers side by side, and then the training.
const MEMORY: u64 = 3 * GIB;
/// One compiler (`CARGO_BUILD_JOBS=1`), and then the training.
const MEMORY_ONE_JOB: u64 = 2 * GIB;
/// What the page's build takes: 20.19 and later of 20, 22.12 and later.
const NODE: &str = "20.19 or 22.12";
/// Oldest compiler that the dependencies take.
const RUST: (u64, u64) = (1, 95);

/// Looks for everything; `target` is where builds go.
pub fn needs(target: &Path) -> Vec<Need> {
    let packages = PackageManager::find();
    let need = |name, purpose, required, found, remedy| Need { name, purpose, required, found, remedy };
    vec![
        need(
            "disk",
            "build and models",
            true,
            disk(target),
            "free some, or set CARGO_TARGET_DIR to another disk".into(),
        ),
        need(
            "memory",
            "build and training",
            true,
            memory(),
            "close other programs, or build with CARGO_BUILD_JOBS=1".into(),
        ),
        need("Rust", "everything", true, rust(), "rustup update stable".into()),
        need("C compiler", "zstd, linking", true, compiler(), packages.compiler()),
        need("Node", "npm package, page", false, node(), packages.node()),
        need("Chromium", "tests of both", false, browser(), packages.chromium()),
        need(
            "wasm32 target",
            "npm package, page",
            false,
            wasm(),
            format!("rustup target add {}", wasm_target::TARGET),
        ),
    ]
}

/// The needs as a table, and the commands for what is missing.
pub fn table(needs: &[Need]) -> String {
    let mut out = format!("{:<14} {:<9} {:<24} {}\n", "need", "state", "found", "for");
    for need in needs {
        let (state, found) = match (&need.found, need.required) {
            (Ok(found), _) => ("ok", found),
            (Err(found), true) => ("MISSING", found),
            (Err(found), false) => ("optional", found),
        };
        out += &format!("{:<14} {state:<9} {found:<24} {}\n", need.name, need.purpose);
    }
    let missing: Vec<&Need> = needs.iter().filter(|need| need.found.is_err()).collect();
    if !missing.is_empty() {
        out += "\nto get what is not there (optional: the training goes without):\n";
        for need in missing {
            out += &format!("  {:<14} {}\n", need.name, need.remedy);
        }
    }
    out
}

/// What a command prints, if it succeeds.
fn output(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn enough(bytes: u64, least: u64, what: &str) -> Result<String, String> {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB as f64);
    if bytes >= least {
        Ok(format!("{} {what}", gib(bytes)))
    } else {
        Err(format!("{} {what}, needs {}", gib(bytes), gib(least)))
    }
}

/// Free space where builds go, by POSIX `df`; a machine without it is trusted.
fn disk(target: &Path) -> Result<String, String> {
    let exists = target.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let free = || {
        let table = output("df", &["-Pk", exists.to_str()?])?;
        // Filesystem, blocks, used, available, capacity, mounted on.
        table.lines().last()?.split_whitespace().nth(3)?.parse::<u64>().ok()
    };
    // What an earlier build left needs no second place.
    let built = || output("du", &["-sk", target.to_str()?])?.split_whitespace().next()?.parse::<u64>().ok();
    let least = DISK.saturating_sub(built().unwrap_or(0) * 1024).max(DISK_LEFT);
    free().map_or_else(|| Ok("not known".into()), |blocks| enough(blocks * 1024, least, "free"))
}

fn memory() -> Result<String, String> {
    let linux = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let mac = || output("sysctl", &["-n", "hw.memsize"])?.trim().parse::<u64>().ok();
    let bytes = linux().or_else(|| cfg!(target_os = "macos").then(mac).flatten());
    let one_job = env::var("CARGO_BUILD_JOBS").is_ok_and(|jobs| jobs.trim() == "1");
    let least = if one_job { MEMORY_ONE_JOB } else { MEMORY };
    bytes.map_or_else(|| Ok("not known".into()), |bytes| enough(bytes, least, "available"))
}

fn rust() -> Result<String, String> {
    let version = output("rustc", &["--version"]).ok_or("not found")?;
    let number = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut parts = number.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= RUST { Ok(number) } else { Err(format!("{number}, needs {}.{}", RUST.0, RUST.1)) }
}

fn compiler() -> Result<String, String> {
    let named = env::var("CC").ok();
    let candidates = named.iter().map(String::as_str).chain(["cc", "gcc", "clang"]);
    if cfg!(windows) {
        return Ok("Rust's own choice".into());
    }
    let mut found = candidates.filter(|name| Path::new(name).is_file() || program::on_path(name).is_some());
    found.next().map(str::to_owned).ok_or_else(|| "not found".into())
}

/// The version of Node, or why it does not do.
pub fn node() -> Result<String, String> {
    let version = output("node", &["--version"]).ok_or("not found")?;
    let version = version.trim().to_owned();
    if node_suits(&version) { Ok(version) } else { Err(format!("{version}, needs {NODE}")) }
}

fn node_suits(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    match (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) {
        (20, minor) => minor >= 19,
        (22, minor) => minor >= 12,
        (major, _) => major > 22,
    }
}

fn browser() -> Result<String, String> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"];
    let installed = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];
    let on_path = names.into_iter().find(|name| program::on_path(name).is_some());
    let app = || installed.into_iter().find(|path| Path::new(path).is_file()).map(|_| "an application");
    on_path.or_else(app).map(str::to_owned).ok_or_else(|| "not found".into())
}

fn wasm() -> Result<String, String> {
    match wasm_target::is_installed() {
        Ok(true) => Ok("installed".into()),
        Ok(false) => Err("not installed".into()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Who installs programs here.
enum PackageManager {
    Apt,
    Dnf,
    Pacman,
    Brew,
    Winget,
    Unknown,
}

impl PackageManager {
    fn find() -> Self {
        let known = [
            ("apt-get", Self::Apt),
            ("dnf", Self::Dnf),
            ("pacman", Self::Pacman),
            ("brew", Self::Brew),
            ("winget", Self::Winget),
        ];
        known
            .into_iter()
            .find(|(name, _)| program::on_path(name).is_some())
            .map_or(Self::Unknown, |(_, manager)| manager)
    }

    fn compiler(&self) -> String {
        match self {
            Self::Apt => "sudo apt-get install -y build-essential",
            Self::Dnf => "sudo dnf install -y gcc",
            Self::Pacman => "sudo pacman -S --needed base-devel",
            Self::Brew => "xcode-select --install",
            Self::Winget => "winget install Microsoft.VisualStudio.2022.BuildTools",
            Self::Unknown => "install a C compiler (cc)",
        }
        .into()
    }

    fn node(&self) -> String {
        match self {
            // The distribution's own may be older than 20; `n` brings that one.
            Self::Apt => "sudo apt-get install -y nodejs npm && sudo npx --yes n 20",
            Self::Dnf => "sudo dnf install -y nodejs20",
            Self::Pacman => "sudo pacman -S --needed nodejs npm",
            Self::Brew => "brew install node@20",
            Self::Winget => "winget install OpenJS.NodeJS.LTS",
            Self::Unknown => "install Node 20 or newer",
        }
        .into()
    }

    fn chromium(&self) -> String {
        match self {
            Self::Apt => "sudo apt-get install -y chromium",
            Self::Dnf => "sudo dnf install -y chromium",
            Self::Pacman => "sudo pacman -S --needed chromium",
            Self::Brew => "brew install --cask google-chrome",
            Self::Winget => "winget install Google.Chrome",
            Self::Unknown => "install Chromium or Chrome",
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_brings_it() {
        let need = |name, required, found: Result<&str, &str>| Need {
            name,
            purpose: "a purpose",
            required,
            found: found.map(str::to_owned).map_err(str::to_owned),
            remedy: format!("get {name}"),
        };
        let all = table(&[need("Rust", true, Ok("1.95")), need("C compiler", true, Ok("cc"))]);
        assert!(!all.contains("get "), "{all}");
        let some = table(&[
            need("Rust", true, Err("not found")),
            need("Node", false, Err("v18.1.0")),
            need("disk", true, Ok("9")),
        ]);
        let lines: Vec<Vec<&str>> = some.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..3], ["Rust", "MISSING", "not"]);
        assert_eq!(lines[2][..3], ["Node", "optional", "v18.1.0"]);
        assert!(
            some.contains("get Rust") && some.contains("get Node") && !some.contains("get disk"),
            "{some}"
        );
    }

    #[test]
    fn node_is_taken_from_the_versions_that_the_page_is_built_with() {
        for (version, suits) in [
            ("v20.18.1", false),
            ("v20.19.0", true),
            ("v21.7.3", false),
            ("v22.11.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("", false),
        ] {
            assert_eq!(node_suits(version), suits, "{version}");
        }
    }
}
