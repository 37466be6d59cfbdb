//! `stampnet train`: from a data set to a tested network.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use console::Style;
use stampnet_data::{Dataset, IdxFolder, Subset, split};
use stampnet_nn::{EarlyStopping, FitOptions, Model, NnError, SwapEMAWeights};
use stampnet_simd::Level;

use crate::cli::TrainArgs;
use crate::commands::evaluate::test;
use crate::console::{Console, counted, print_json, thousands};
use crate::curves::{self, Heading, Page};
use crate::error::CliError;
use crate::recorder::{Interrupted, Recorded, Recorder};
use crate::report::{Results, Scores, TestLine};
use crate::run_folder::{CURVES_FILE, MODEL_FILE, RESULTS_FILE, RunFolder, listed_sums, now};
use crate::settings::{RunNotes, SETTINGS_FILE, Settings};
use crate::{interrupt, locate, network, threads};

/// A training run that is ready to begin.
struct Run<'a> {
    json: bool,
    data: &'a IdxFolder,
    folder: PathBuf,
    training: Subset<'a>,
    validation: Option<Subset<'a>>,
    settings: &'a Settings,
    notes: RunNotes,
    /// Whether the optimizer keeps averages of the weights.
    uses_ema: bool,
}

/// Trains, tests and leaves a run folder.
///
/// # Errors
/// Settings, network or data cannot be read or do not fit each other, the run folder cannot be written, the loss is not finite any
/// more, or the output cannot be printed.
pub(crate) fn run(args: &TrainArgs) -> Result<(), CliError> {
    let threads = threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let settings = Settings::of(args)?;
    let mut model = settings.model.build(settings.seed)?;
    model.set_winograd(settings.winograd);
    if let Some(precision) = settings.precision {
        model.set_precision(precision);
    }
    let folder = locate::data_folder(settings.data.as_deref())?;
    let data = IdxFolder::open(&folder)?;
    let mut run = Run::new(&settings, &data, &folder, threads)?;
    run.json = args.json;
    run.notes.precision = model.precision().to_string();
    run.compile(&mut model)?;
    // Whether network and data fit each other shows on one image, before anything is written.
    model.evaluate(&Subset::new(&data.train, vec![0])?, 1)?;
    network::set_class_names(&mut model, &data.class_names);
    let run_folder = RunFolder::create(args.out.as_deref(), settings.model.name())?;
    run_folder.write_json(SETTINGS_FILE, &run.settings_to_keep())?;
    let summary = model.summary(console.width());
    writeln!(console, "{summary}")?;
    run.print_data(&mut console)?;
    interrupt::listen()?;
    run.train(&mut model, &run_folder, &mut console)
}

impl<'a> Run<'a> {
    fn new(settings: &'a Settings, data: &'a IdxFolder, folder: &Path, threads: usize) -> Result<Self, CliError> {
        let (training, validation) = match settings.validation_split {
            0.0 => (Subset::new(&data.train, (0..data.train.len() as u32).collect())?, None),
            share => {
                let (training, validation) = split(data.train.len(), share, settings.seed)?;
                (Subset::new(&data.train, training)?, Some(Subset::new(&data.train, validation)?))
            }
        };
        let notes = RunNotes {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: now(),
            threads,
            precision: String::new(),
            simd: Level::current().to_string(),
            classes: data.class_names.clone(),
            training_images: training.len(),
            validation_images: validation.as_ref().map_or(0, Dataset::len),
            test_images: data.test.len(),
            sha256: listed_sums(folder),
        };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Ok(Self { json: false, data, folder, training, validation, settings, notes, uses_ema: false })
    }

    /// Gives the model its optimizer and its loss.
    fn compile(&mut self, model: &mut Model) -> Result<(), CliError> {
        let steps = self.settings.epochs * self.training.len().div_ceil(self.settings.batch);
        let optimizer = self.settings.optimizer(steps as u64).map_err(NnError::from)?;
        self.uses_ema = optimizer.uses_ema();
        Ok(model.compile(optimizer, self.settings.loss().map_err(NnError::from)?)?)
    }

    /// The settings with where the data is and what was found on the way.
    fn settings_to_keep(&self) -> Settings {
        Settings { data: Some(self.folder.clone()), run: Some(self.notes.clone()), ..self.settings.clone() }
    }

    fn print_data(&self, console: &mut Console) -> Result<(), CliError> {
        let RunNotes {
            classes, training_images, validation_images, test_images, sha256, threads, precision, simd, ..
        } = &self.notes;
        let checked = if sha256.is_empty() { "" } else { ", checksums right" };
        writeln!(console, "Data: {}, {} classes{checked}", self.folder.display(), classes.len())?;
        let [training, validation, test] = [training_images, validation_images, test_images].map(|&n| thousands(n));
        writeln!(console, "{training} images to train on, {validation} to validate with, {test} to test with")?;
        let Settings { batch, seed, .. } = &self.settings;
        let (optimizer, threads) = (self.settings.optimizer_in_words(), counted(*threads, "thread"));
        writeln!(console, "{optimizer}, batches of {batch}, seed {seed}, {threads}, {precision}, SIMD level {simd}\n")?;
        Ok(())
    }

    fn heading(&self, model: &Model) -> Heading {
        let Settings { batch, seed, model: network, .. } = &self.settings;
        let data = self.folder.file_stem().unwrap_or(self.folder.as_os_str()).to_string_lossy();
        Heading {
            title: format!("{} on {data}", network.name()),
            details: [
                format!(
                    "{} parameters · {} training and {} validation images",
                    thousands(model.parameters()),
                    thousands(self.notes.training_images),
                    thousands(self.notes.validation_images)
                ),
                format!("{} · batches of {batch} · seed {seed}", self.settings.optimizer_in_words()),
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
        if self.json {
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
        let mut recorder = Recorder::new(folder, console, heading, self.settings.patience.is_some());
        let mut stopping = self.settings.patience.map(EarlyStopping::new);
        // Averaged weights are validated and saved.
        let mut averages = self.uses_ema.then(|| SwapEMAWeights::new().swap_on_epoch(true));
        let mut options = FitOptions::new(self.settings.epochs).batch_size(self.settings.batch);
        if let Some(validation) = &self.validation {
            options = options.validation(validation);
        }
        if let Some(averages) = &mut averages {
            options = options.callback(averages);
        }
        options = options.callback(&mut recorder);
        if let Some(stopping) = &mut stopping {
            options = options.callback(stopping);
        }
        model.fit(&self.training, options)?;
        recorder.finish()
    }

    /// Says why training ended and which weights are saved.
    fn print_end(&self, recorded: &Recorded, seconds: f64, console: &mut Console) -> Result<(), CliError> {
        let epochs = recorded.records.len();
        let last = recorded.records.last().map_or(0, |record| record.epoch);
        let kept = match recorded.best {
            Some(best) if self.settings.patience.is_some() => {
                format!("the weights of epoch {best}, the best one, are kept")
            }
            _ => "the last weights are kept".to_owned(),
        };
        if let Some(Interrupted { epoch, batch, batches }) = recorded.interrupted {
            let text = format!("\nInterrupted in epoch {epoch}, after batch {batch} of {batches}: {kept}.");
            writeln!(console, "{}", console.paint(Style::new().yellow(), text))?;
            return Ok(());
        }
        let end = if last < self.settings.epochs { "Stopped early" } else { "Done" };
        writeln!(console, "\n{end} after {} in {seconds:.1} s: {kept}.\n", counted(epochs, "epoch"))?;
        Ok(())
    }

    fn test(&self, model: &mut Model, console: &mut Console) -> Result<Scores, CliError> {
        let scores = test(model, self.data, self.settings.batch)?;
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
