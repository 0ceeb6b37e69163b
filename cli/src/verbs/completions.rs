//! `mesolith completions`: completion scripts for shells.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Example:
  mesolith completions bash > /etc/bash_completion.d/mesolith";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// The command without what is hidden from people, which clap would offer them all the same.
fn visible(command: &Command) -> Command {
    // the process prints a script and ends: nothing is gained by freeing a few names
    let name: &'static str = command.get_name().to_owned().leak();
    let about = command.get_about().cloned().unwrap_or_default();
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let named = Command::new(name).about(about).args(arguments.cloned());
    let version =
        command.get_version().map(|version| -> &'static str { version.to_owned().leak() });
    let named = if let Some(version) = version { named.version(version) } else { named };
    named.subcommands(verbs.map(visible))
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // clap_complete panics when it cannot write; a pipe may be closed, a buffer is not.
        let mut script = Vec::new();
        let mut command = visible(&super::Arguments::command());
        clap_complete::generate(self.shell, &mut command, "mesolith", &mut script);
        io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_is_offered_and_everything_else_is() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            let mut command = visible(&super::super::Arguments::command());
            clap_complete::generate(shell, &mut command, "mesolith", &mut script);
            let script = String::from_utf8(script).expect("text");
            assert!(!script.contains("parent-pid"), "{shell}");
            for flag in ["work-dir", "logging-level", "transfer", "version"] {
                assert!(script.contains(flag), "{shell} lacks {flag}");
            }
        }
    }
}
