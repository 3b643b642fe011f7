//! Every command with its flags, as the page `docs/cli.md` has them: written from the same declarations that read the
//! command line, so that the page cannot say something else.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// The reference, in Markdown.
#[must_use]
pub fn describe() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = String::new();
    for command in commands(&mut root) {
        section(&mut page, command, 3);
    }
    page
}

/// What can be typed next, but for `help`.
fn commands(command: &mut Command) -> impl Iterator<Item = &mut Command> {
    command
        .get_subcommands_mut()
        .filter(|command| command.get_name() != "help")
}

fn section(page: &mut String, command: &mut Command, level: usize) {
    let name = command
        .get_bin_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n{:#<level$} {name}\n\n{}", "", sentence(&about));
    let is_leaf = commands(command).next().is_none();
    if is_leaf {
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = writeln!(page, "\n```text\n{usage}\n```");
        list(page, command.get_arguments().filter(|arg| !arg.is_global_set()));
    }
    let after = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (examples, rest): (Vec<&str>, Vec<&str>) = after
        .lines()
        .filter(|line| !line.is_empty() && *line != "Example:")
        .partition(|line| line.starts_with("  "));
    if !examples.is_empty() && is_leaf {
        let lines: Vec<&str> = examples.into_iter().map(str::trim).collect();
        let _ = writeln!(page, "\n```sh\n{}\n```", lines.join("\n"));
    }
    if !rest.is_empty() {
        let _ = writeln!(page, "\n{}", rest.join("\n"));
    }
    if !is_leaf {
        for command in commands(command) {
            section(page, command, level + 1);
        }
    }
}

/// The flags that all commands over the admin API take.
#[must_use]
pub fn describe_common() -> String {
    let mut page = String::new();
    let mut root = Cli::command();
    root.build();
    let shared = root
        .find_subcommand("app")
        .into_iter()
        .flat_map(Command::get_arguments);
    list(&mut page, shared.filter(|arg| arg.is_global_set()));
    page
}

/// Arguments, one an item.
fn list<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let mut lines = String::new();
    for arg in arguments.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(lines, "* `{arg}`: {}", sentence(&help));
        if arg.get_action().takes_values() {
            let default: Vec<_> = arg
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect();
            if !default.is_empty() {
                let _ = write!(lines, " Default: `{}`.", default.join(" "));
            }
            let words: Vec<String> = arg
                .get_possible_values()
                .iter()
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            if !words.is_empty() {
                let _ = write!(lines, " One of {}.", words.join(", "));
            }
        }
        lines.push('\n');
    }
    if !lines.is_empty() {
        let _ = write!(page, "\n{lines}");
    }
}

/// clap takes the full stop off; a page has it.
fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['.', '!', '?', ':']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}
