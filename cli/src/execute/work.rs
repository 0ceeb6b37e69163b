//! What is to be run, and what it needs.

use clap::Args;
use protocol::v1::environment::Variable;
use protocol::v1::{CommandInfo, Environment, command_info::Uri};

/// What a command needs to run, as flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct Work {
    /// Processors that it needs
    #[arg(long, value_name = "NUMBER", default_value_t = 0.1, value_parser = amount)]
    pub(super) cpus: f64,

    /// Memory that it needs, in MB
    #[arg(long, value_name = "MB", default_value_t = 32.0, value_parser = amount)]
    pub(super) mem: f64,

    /// Disk that it needs, in MB
    #[arg(long, value_name = "MB", default_value_t = 0.0, value_parser = amount)]
    pub(super) disk: f64,

    /// Variable of its environment; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) env: Vec<Variable>,

    /// File to fetch into its sandbox; archives are unpacked; may be given again
    #[arg(long, value_name = "URI")]
    pub(super) uri: Vec<String>,

    /// Role whose resources it uses
    #[arg(long, default_value = "*")]
    pub(super) role: String,

    /// Name of the task; its id begins with it
    #[arg(long, default_value = "execute", value_parser = name)]
    pub(super) name: String,

    /// User that it runs as; by default whoever starts it
    #[arg(long)]
    pub(super) user: Option<String>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            cpus: 0.1,
            mem: 32.0,
            disk: 0.0,
            env: Vec::new(),
            uri: Vec::new(),
            role: "*".into(),
            name: "execute".into(),
            user: None,
        }
    }
}

impl Work {
    /// The scalars that it needs.
    pub(super) fn scalars(&self) -> [(&'static str, f64); 3] {
        [("cpus", self.cpus), ("mem", self.mem), ("disk", self.disk)]
    }

    /// One word is for the shell; several are a program and its arguments.
    pub(super) fn command_info(&self, command: &[String]) -> CommandInfo {
        let shell = command.len() == 1;
        CommandInfo {
            shell: Some(shell),
            value: command.first().cloned(),
            arguments: if shell { Vec::new() } else { command.to_vec() },
            environment: (!self.env.is_empty())
                .then(|| Environment { variables: self.env.clone() }),
            uris: self.uri.iter().map(|uri| Uri { value: uri.clone(), ..Uri::default() }).collect(),
            user: self.user.clone(),
        }
    }
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount),
        _ => Err("not a number of 0 or more".into()),
    }
}

fn variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Variable { name: name.into(), value: Some(value.into()), ..Variable::default() })
        }
        _ => Err("not of the form NAME=VALUE".into()),
    }
}

/// The rules that Mesos has for ids (semantics 138), since an id is made of it.
fn name(text: &str) -> Result<String, String> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || c == '/' || c == '\\';
    if text.is_empty() || text.len() > 200 || text.chars().any(bad) {
        return Err("1 to 200 characters without blanks, slashes and backslashes".into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_for_the_shell_and_several_are_not() {
        let shell = Work::default().command_info(&["echo $HOME".into()]);
        assert_eq!((shell.shell, shell.arguments.len()), (Some(true), 0));
        assert_eq!(shell.value.as_deref(), Some("echo $HOME"));
        let exec = Work::default().command_info(&["/bin/echo".into(), "$HOME".into()]);
        assert_eq!((exec.shell, exec.value.as_deref()), (Some(false), Some("/bin/echo")));
        assert_eq!(exec.arguments, ["/bin/echo", "$HOME"]);
    }

    #[test]
    fn flags_that_mean_nothing_are_refused() {
        for text in ["-1", "NaN", "inf", "many", ""] {
            assert!(amount(text).is_err(), "{text}");
        }
        for text in ["NAME", "=x", ""] {
            assert!(variable(text).is_err(), "{text}");
        }
        for text in ["", "a b", "a/b", "a\n"] {
            assert!(name(text).is_err(), "{text}");
        }
        assert_eq!(variable("A=b=c").map(|variable| variable.value), Ok(Some("b=c".into())));
    }
}
