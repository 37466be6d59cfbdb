//! `stampnet summary`: the layers of a network.

use std::io::Write;

use crate::cli::SummaryArgs;
use crate::console::Console;
use crate::error::CliError;
use crate::network;

/// Prints the table.
///
/// # Errors
/// There is no such network, or the output cannot be printed.
pub(crate) fn run(args: &SummaryArgs) -> Result<(), CliError> {
    let model = network::find(&args.model)?;
    let mut console = Console::new(false);
    let summary = model.summary(console.width());
    write!(console, "{summary}")?;
    Ok(())
}
