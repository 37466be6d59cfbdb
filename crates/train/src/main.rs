//! The `stampnet` command: trains, tests, uses and times convolutional networks.
#![forbid(unsafe_code)]

mod bench;
mod cli;
mod commands;
mod console;
mod cores;
mod curves;
mod error;
mod history;
mod interrupt;
mod locate;
mod network;
mod picture;
mod profile_page;
mod progress;
mod recorder;
mod report;
mod run_folder;
mod settings;
mod threads;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use stampnet_simd::Level;

use crate::cli::{BenchCommand, Cli, Command};
use crate::error::CliError;

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_default_command(env::args_os()));
    match run(cli.command) {
        Err(error) if !error.is_closed_pipe() => {
            // If even this cannot be printed, the exit code has to do.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Puts `train` in front of the options if no command is there.
fn with_default_command(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let about_the_program = ["-h", "--help", "-V", "--version"];
    let is_training = arguments.get(1).is_none_or(|first| {
        first.to_string_lossy().starts_with('-') && !about_the_program.iter().any(|option| first == option)
    });
    if is_training {
        arguments.insert(1.min(arguments.len()), "train".into());
    }
    arguments
}

fn run(command: Command) -> Result<(), CliError> {
    Level::from_env()?;
    match command {
        Command::Train(args) => commands::train::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Summary(args) => commands::summary::run(&args),
        Command::Profile(args) => commands::profile::run(&args),
        Command::Bench(BenchCommand::Conv(args)) => commands::bench_conv::run(&args),
        Command::Bench(BenchCommand::Pool(args)) => commands::bench_pool::run(&args),
        Command::Bench(BenchCommand::Step(args)) => commands::bench_step::run(&args),
        Command::Bench(BenchCommand::Infer(args)) => commands::bench_infer::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_command_train() {
        let full = |words: &[&str]| with_default_command(words.iter().map(OsString::from));
        assert_eq!(full(&["stampnet"]), ["stampnet", "train"]);
        assert_eq!(full(&["stampnet", "--epochs", "3"]), ["stampnet", "train", "--epochs", "3"]);
        assert_eq!(full(&["stampnet", "--help"]), ["stampnet", "--help"]);
        assert_eq!(full(&["stampnet", "summary"]), ["stampnet", "summary"]);
    }
}
