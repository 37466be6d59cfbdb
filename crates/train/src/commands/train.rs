//! `stampnet train`: from a data set to a tested network.

use std::env;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use console::Style;
use stampnet_data::{Dataset, IdxFolder, Subset, split};
use stampnet_nn::{Adam, EarlyStopping, FitOptions, Model};
use stampnet_simd::Level;

use crate::cli::TrainArgs;
use crate::commands::evaluate::test;
use crate::console::{Console, counted, print_json, thousands};
use crate::curves::{self, Heading, Page};
use crate::error::CliError;
use crate::recorder::{Interrupted, Recorded, Recorder};
use crate::report::{Results, Scores, TestLine};
use crate::run_folder::{
    CURVES_FILE, DataSettings, MODEL_FILE, RESULTS_FILE, RunFolder, SETTINGS_FILE, Settings, listed_sums, now,
};
use crate::{interrupt, locate, network, threads};

/// The share of the training set that is held out.
const VALIDATION_SHARE: f64 = 0.2;

/// A training run that is ready to begin.
struct Run<'a> {
    args: &'a TrainArgs,
    data: &'a IdxFolder,
    training: Subset<'a>,
    validation: Subset<'a>,
    settings: Settings,
}

/// Trains, tests and leaves a run folder.
///
/// # Errors
/// Network or data cannot be read or do not fit each other, the run folder cannot be written, the loss is not finite any more,
/// or the output cannot be printed.
pub(crate) fn run(args: &TrainArgs) -> Result<(), CliError> {
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::build(&args.model, args.seed)?;
    model.set_winograd(!args.no_winograd);
    model.compile(Adam::new(args.lr), network::LOSS)?;
    let folder = locate::data_folder(&args.data)?;
    let data = IdxFolder::open(&folder)?;
    let run = Run::new(args, &folder, &data, threads)?;
    // Whether network and data fit each other shows on one image, before anything is written.
    model.evaluate(&Subset::new(&data.train, vec![0])?, 1)?;
    network::set_class_names(&mut model, &data.class_names);
    let run_folder = RunFolder::create(args.out.as_deref(), &args.model)?;
    run_folder.write_json(SETTINGS_FILE, &run.settings)?;
    let summary = model.summary(console.width());
    writeln!(console, "{summary}")?;
    run.print_data(&mut console)?;
    interrupt::listen()?;
    run.train(&mut model, &run_folder, &mut console)
}

impl<'a> Run<'a> {
    fn new(args: &'a TrainArgs, folder: &Path, data: &'a IdxFolder, threads: usize) -> Result<Self, CliError> {
        let (training, validation) = split(data.train.len(), VALIDATION_SHARE, args.seed)?;
        let data_settings = DataSettings {
            folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
            classes: data.class_names.clone(),
            training_images: training.len(),
            validation_images: validation.len(),
            test_images: data.test.len(),
            sha256: listed_sums(folder),
        };
        let settings = Settings {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: now(),
            model: args.model.clone(),
            data: data_settings,
            epochs: args.epochs,
            batch: args.batch,
            learning_rate: args.lr,
            seed: args.seed,
            patience: (!args.no_early_stopping).then_some(args.patience),
            threads,
            simd: Level::current().to_string(),
        };
        let (training, validation) = (Subset::new(&data.train, training)?, Subset::new(&data.train, validation)?);
        Ok(Self { args, data, training, validation, settings })
    }

    fn print_data(&self, console: &mut Console) -> Result<(), CliError> {
        let DataSettings { folder, classes, training_images, validation_images, test_images, sha256 } =
            &self.settings.data;
        let checked = if sha256.is_empty() { "" } else { ", checksums right" };
        writeln!(console, "Data: {}, {} classes{checked}", folder.display(), classes.len())?;
        let [training, validation, test] = [training_images, validation_images, test_images].map(|&n| thousands(n));
        writeln!(console, "{training} images to train on, {validation} to validate with, {test} to test with")?;
        let Settings { batch, learning_rate, seed, threads, simd, .. } = &self.settings;
        let threads = counted(*threads, "thread");
        writeln!(
            console,
            "Adam, learning rate {learning_rate}, batches of {batch}, seed {seed}, {threads}, SIMD level {simd}\n"
        )?;
        Ok(())
    }

    fn heading(&self, model: &Model) -> Heading {
        let Settings { batch, learning_rate, seed, data, .. } = &self.settings;
        let name = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let network = name(Path::new(&self.args.model)).unwrap_or_else(|| self.args.model.clone());
        let data_name = name(&data.folder).unwrap_or_else(|| data.folder.display().to_string());
        Heading {
            title: format!("{network} on {data_name}"),
            details: [
                format!(
                    "{} parameters · {} training and {} validation images",
                    thousands(model.parameters()),
                    thousands(data.training_images),
                    thousands(data.validation_images)
                ),
                format!("Adam, learning rate {learning_rate} · batches of {batch} · seed {seed}"),
            ],
        }
    }

    fn train(&self, model: &mut Model, folder: &RunFolder, console: &mut Console) -> Result<(), CliError> {
        let heading = self.heading(model);
        let start = Instant::now();
        let recorded = self.fit(model, folder, &heading, console)?;
        let seconds = start.elapsed().as_secs_f64();
        model.save(folder.file(MODEL_FILE))?;
        self.print_end(&recorded, seconds, console)?;
        let scores = match recorded.interrupted {
            Some(_) => None,
            None => Some(self.test(model, console)?),
        };
        let trained: f64 = recorded.records.iter().map(|record| record.seconds).sum();
        let images = (recorded.records.len() * self.training.len()) as f64;
        let images_per_s = if trained > 0.0 { images / trained } else { 0.0 };
        let line = TestLine::new(scores.as_ref(), recorded.records.len(), seconds, images_per_s);
        if let Some(scores) = &scores {
            let class_names = network::class_names(model);
            let results = Results::new(&line, recorded.best, scores, &class_names);
            folder.write_json(RESULTS_FILE, &results)?;
            let test_accuracy = Some(scores.accuracy());
            let (heading, records, best) = (&heading, &recorded.records, recorded.best);
            folder.write(CURVES_FILE, &curves::render(&Page { heading, records, best, test_accuracy }))?;
        }
        print_next(folder, console)?;
        if self.args.json {
            print_json(&line)?;
        }
        Ok(())
    }

    fn fit(
        &self,
        model: &mut Model,
        folder: &RunFolder,
        heading: &Heading,
        console: &mut Console,
    ) -> Result<Recorded, CliError> {
        let early = !self.args.no_early_stopping;
        let mut recorder = Recorder::new(folder, console, heading, early);
        let mut stopping = EarlyStopping::new(self.args.patience);
        let mut options = FitOptions::new(self.args.epochs).batch_size(self.args.batch).validation(&self.validation);
        options = options.callback(&mut recorder);
        if early {
            options = options.callback(&mut stopping);
        }
        model.fit(&self.training, options)?;
        recorder.finish()
    }

    /// Says why training ended and which weights are saved.
    fn print_end(&self, recorded: &Recorded, seconds: f64, console: &mut Console) -> Result<(), CliError> {
        let epochs = recorded.records.len();
        let last = recorded.records.last().map_or(0, |record| record.epoch);
        let kept = match recorded.best {
            Some(best) if !self.args.no_early_stopping => {
                format!("the weights of epoch {best}, the best one, are kept")
            }
            _ => "the last weights are kept".to_owned(),
        };
        if let Some(Interrupted { epoch, batch, batches }) = recorded.interrupted {
            let text = format!("\nInterrupted in epoch {epoch}, after batch {batch} of {batches}: {kept}.");
            writeln!(console, "{}", console.paint(Style::new().yellow(), text))?;
            return Ok(());
        }
        let end = if last < self.args.epochs { "Stopped early" } else { "Done" };
        writeln!(console, "\n{end} after {} in {seconds:.1} s: {kept}.\n", counted(epochs, "epoch"))?;
        Ok(())
    }

    fn test(&self, model: &mut Model, console: &mut Console) -> Result<Scores, CliError> {
        let scores = test(model, self.data, self.args.batch)?;
        scores.print(console, &network::class_names(model))?;
        Ok(scores)
    }
}

/// Says where everything is and what can be done with it.
fn print_next(folder: &RunFolder, console: &mut Console) -> Result<(), CliError> {
    // Whoever started the program through cargo has no command called stampnet.
    let program = env::args_os().next().unwrap_or_else(|| "stampnet".into());
    let program = Path::new(&program).display();
    let path = folder.path().display();
    writeln!(console, "\nThe network and its history are in {}", console.paint(Style::new().bold(), &path))?;
    if folder.file(CURVES_FILE).is_file() {
        writeln!(console, "  see its curves    open {path}/{CURVES_FILE} in a browser")?;
    }
    writeln!(console, "  test it again     {program} evaluate {path}")?;
    writeln!(console, "  show it pictures  {program} predict {path} picture.png")?;
    Ok(())
}
