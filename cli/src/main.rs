//! The one binary, `mesolith`. Data goes to stdout, all else to stderr.

mod client;
mod daemon;
mod execute;
mod exit;
mod interrupt;
mod local;
mod logging;
mod say;
mod table;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use protocol::build_info::{self, Commit};

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // A shim stays as long as its container: it gets by without anything that is not its own.
    if words.get(1).is_some_and(|verb| verb == "shim") {
        return ExitCode::from(agent::shim_main(&words.split_off(2)) as u8);
    }
    if let (Some(git_sha), Some(time)) =
        (option_env!("MESOLITH_COMMIT"), option_env!("MESOLITH_COMMIT_TIME"))
        && let Ok(time) = time.parse()
    {
        build_info::announce(Commit { git_sha, time });
    }
    let arguments = verbs::Arguments::parse_from(verbs::accept_underscores(words));
    logging::start(arguments.logging_level());
    match arguments.verb.run() {
        Ok(code) => code,
        Err(error) => {
            say::say(&say::chain(&error));
            exit::FAILED.into()
        }
    }
}
