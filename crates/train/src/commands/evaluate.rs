//! `stampnet evaluate`: a trained network on a test set.

use std::io::Write;
use std::time::Instant;

use stampnet_data::IdxFolder;
use stampnet_nn::{Adam, Model};

use crate::cli::EvaluateArgs;
use crate::console::{Console, print_json, thousands};
use crate::error::CliError;
use crate::locate;
use crate::network;
use crate::report::{Scores, TestLine};
use crate::settings::Settings;
use crate::threads;

/// Tests and prints.
///
/// # Errors
/// Model or data cannot be read, they do not fit each other, or the output cannot be printed.
pub(crate) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::load(&args.model)?;
    model.set_winograd(!args.no_winograd);
    let settings = Settings::beside(&locate::model_file(&args.model));
    let folder = locate::data_folder_of(&args.data, settings.as_ref())?;
    let data = IdxFolder::open(&folder)?;
    writeln!(console, "Network {}, {} parameters", model.name(), thousands(model.parameters()))?;
    writeln!(console, "Data: {}, {} classes\n", folder.display(), data.class_names.len())?;
    let loss = settings.and_then(|settings| settings.loss().ok()).unwrap_or_else(|| network::LOSS.into());
    model.compile(Adam::default(), loss)?;
    let start = Instant::now();
    let scores = test(&mut model, &data, args.batch)?;
    let seconds = start.elapsed().as_secs_f64();
    scores.print(&mut console, &network::class_names(&model))?;
    if args.json {
        let images_per_s = scores.confusion.samples() as f64 / seconds;
        print_json(&TestLine::new(Some(&scores), 0, seconds, images_per_s))?;
    }
    Ok(())
}

/// Runs the test set through a compiled network, once.
///
/// # Errors
/// Network and data do not fit each other, or the data cannot be read.
pub(crate) fn test(model: &mut Model, data: &IdxFolder, batch: usize) -> Result<Scores, CliError> {
    let evaluation = model.evaluate(&data.test, batch)?;
    let confusion = evaluation.confusion.expect("a classifier's loss gives a confusion matrix");
    Ok(Scores { loss: evaluation.loss, confusion })
}
