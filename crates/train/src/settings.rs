//! What decides a training run: read from a settings file and the command line, and kept in the run folder in the same form.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use stampnet_nn::{Config, ConfigError, Objective, Optimizer, Precision, optimizers};

use crate::cli::TrainArgs;
use crate::error::CliError;
use crate::network::Network;

/// Settings in a run folder.
pub(crate) const SETTINGS_FILE: &str = "settings.json";

/// Epochs without improvement before training stops, unless something else is said.
const PATIENCE: usize = 2;

/// Schedules whose number of steps may be left out: it is then that of the run.
const WHOLE_RUN: [(&str, &str); 3] =
    [("CosineDecay", "decay_steps"), ("PolynomialDecay", "decay_steps"), ("OneCycle", "total_steps")];

/// All that a run depends on. Two runs with equal settings give the same network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    /// The network.
    pub(crate) model: Network,
    /// In Keras's JSON.
    pub(crate) optimizer: Value,
    /// In Keras's JSON.
    pub(crate) loss: Value,
    /// At most.
    pub(crate) epochs: usize,
    /// Images per step.
    pub(crate) batch: usize,
    /// Of everything random.
    pub(crate) seed: u64,
    /// The share of the training set that is held out.
    pub(crate) validation_split: f64,
    /// Epochs without improvement before training stops; none: it does not stop early.
    pub(crate) patience: Option<usize>,
    /// Of the values between layers; none: what the network says.
    #[serde(serialize_with = "name_of_precision")]
    pub(crate) precision: Option<Precision>,
    /// Whether convolutions may use Winograd's tiles.
    pub(crate) winograd: bool,
    /// The folder of the data set, where one is named.
    pub(crate) data: Option<PathBuf>,
    /// What a run noted; no setting.
    pub(crate) run: Option<RunNotes>,
}

/// What a run found on the way. It is written for people and not read again.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunNotes {
    /// Of this program.
    pub(crate) version: String,
    /// Date and time, with the offset from universal time.
    pub(crate) started: String,
    /// Threads that computed; the results do not depend on it.
    pub(crate) threads: usize,
    /// Of the values between layers.
    pub(crate) precision: String,
    /// SIMD level.
    pub(crate) simd: String,
    /// The names of class 0, 1, 2, ...
    pub(crate) classes: Vec<String>,
    /// Images whose gradients were used.
    pub(crate) training_images: usize,
    /// Images held out from the training set.
    pub(crate) validation_images: usize,
    /// Images of the test set.
    pub(crate) test_images: usize,
    /// SHA-256 sums of the decompressed files, where the data set lists them; they were checked.
    pub(crate) sha256: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: Network::default(),
            optimizer: json!({"class_name": "Adam", "config": {"learning_rate": 0.001}}),
            loss: json!("sparse_categorical_crossentropy"),
            epochs: 10,
            batch: 32,
            seed: 42,
            validation_split: 0.2,
            patience: Some(PATIENCE),
            precision: None,
            winograd: true,
            data: None,
            run: None,
        }
    }
}

impl Settings {
    /// The settings of a command line: its own before those of the file that it names, these before the defaults.
    ///
    /// # Errors
    /// The file cannot be read; it has an unknown key or a value that is not supported; there is no such network; or it should
    /// stop early without anything to validate with.
    pub(crate) fn of(args: &TrainArgs) -> Result<Self, CliError> {
        let mut settings = match &args.settings {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        if let Some(model) = &args.model {
            settings.model = Network::find(model, Path::new(""))?;
        }
        if let Some(rate) = args.lr {
            settings.set_learning_rate(rate);
        }
        settings.epochs = args.epochs.unwrap_or(settings.epochs);
        settings.batch = args.batch.unwrap_or(settings.batch);
        settings.seed = args.seed.unwrap_or(settings.seed);
        settings.validation_split = args.validation_split.unwrap_or(settings.validation_split);
        settings.patience = args.patience.or(settings.patience);
        if args.no_early_stopping || (settings.validation_split == 0.0 && args.patience.is_none()) {
            settings.patience = None;
        }
        settings.precision = args.precision.or(settings.precision);
        settings.winograd &= !args.no_winograd;
        settings.data = args.data.data.clone().or(settings.data);
        if settings.patience.is_some() && settings.validation_split == 0.0 {
            return Err(CliError::NothingToStopBy);
        }
        Ok(settings)
    }

    /// Reads a settings file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text =
            fs::read_to_string(path).map_err(|source| CliError::ReadSettings { path: path.to_owned(), source })?;
        let unusable = |source: ConfigError| CliError::Settings { path: path.to_owned(), source };
        let value: Value = serde_json::from_str(&text).map_err(|source| unusable(source.into()))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let place = "a settings file";
        let Value::Object(entries) = value else {
            let (expected, received) = ("an object".to_owned(), "another kind of JSON".to_owned());
            let (place, key) = (String::new(), place.to_owned());
            return Err(unusable(ConfigError::Value { place, key, expected, received }));
        };
        let mut config = Config::new(place, entries);
        let model = config.take("model");
        let mut settings = Self::from_config(config).map_err(unusable)?;
        settings.data = settings.data.map(|data| folder.join(data));
        settings.model = match model {
            None => Network::default(),
            Some(Value::String(name)) => Network::find(&name, folder)?,
            Some(description) => Network::described(path, description),
        };
        Ok(settings)
    }

    /// All but the network, and with the paths as they stand.
    fn from_config(mut config: Config) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        if let Some(optimizer) = config.take("optimizer") {
            settings.optimizer = optimizer;
        }
        if let Some(loss) = config.take("loss") {
            settings.loss = loss;
        }
        settings.loss()?;
        settings.optimizer(1)?;
        config.optional("epochs", &mut settings.epochs)?;
        config.optional("batch", &mut settings.batch)?;
        config.optional("seed", &mut settings.seed)?;
        config.optional("validation_split", &mut settings.validation_split)?;
        config.optional("patience", &mut settings.patience)?;
        config.optional("winograd", &mut settings.winograd)?;
        settings.precision = precision(&mut config)?;
        let mut data: Option<String> = None;
        config.optional("data", &mut data)?;
        settings.data = data.map(PathBuf::from);
        for (key, value) in [("epochs", settings.epochs), ("batch", settings.batch)] {
            if value == 0 {
                return Err(config.refused(key, "at least 1", &value.into()));
            }
        }
        if !(0.0..1.0).contains(&settings.validation_split) {
            return Err(config.refused(
                "validation_split",
                "at least 0 and below 1",
                &settings.validation_split.into(),
            ));
        }
        config.ignore("run");
        config.finish()?;
        Ok(settings)
    }

    /// The settings in the folder of a model file, if they are there and can be read.
    pub(crate) fn beside(model: &Path) -> Option<Self> {
        Self::read(&model.with_file_name(SETTINGS_FILE)).ok()
    }

    /// The loss.
    ///
    /// # Errors
    /// There is no such loss, or it has no such option.
    pub(crate) fn loss(&self) -> Result<Objective, ConfigError> {
        Objective::from_json(&self.loss.to_string())
    }

    /// The optimizer of a run of `steps` steps.
    ///
    /// # Errors
    /// There is no such optimizer or schedule, or it has no such option.
    pub(crate) fn optimizer(&self, steps: u64) -> Result<Box<dyn Optimizer>, ConfigError> {
        let mut optimizer = self.optimizer.clone();
        if let Some(Value::Object(schedule)) = optimizer.pointer_mut("/config/learning_rate") {
            let class = schedule.get("class_name").and_then(Value::as_str);
            let whole = WHOLE_RUN.iter().find(|(known, _)| class == Some(*known));
            if let (Some((_, key)), Some(config)) = (whole, schedule.get_mut("config").and_then(Value::as_object_mut)) {
                let warmup = config.get("warmup_steps").and_then(Value::as_u64).unwrap_or(0);
                config.entry(*key).or_insert_with(|| steps.saturating_sub(warmup).into());
            }
        }
        optimizers::deserialize(&optimizer.to_string())
    }

    /// The optimizer's class and learning rate, for people.
    pub(crate) fn optimizer_in_words(&self) -> String {
        let class = self.optimizer.as_str().or_else(|| self.optimizer.get("class_name")?.as_str()).unwrap_or_default();
        match self.optimizer.pointer("/config/learning_rate") {
            Some(Value::Number(rate)) => format!("{class}, learning rate {rate}"),
            Some(schedule) => {
                let schedule = schedule.get("class_name").and_then(Value::as_str).unwrap_or_default();
                format!("{class}, learning rate by {schedule}")
            }
            None => format!("{class}, its default learning rate"),
        }
    }

    /// Puts a number in the place of the optimizer's learning rate or schedule.
    fn set_learning_rate(&mut self, rate: f64) {
        if let Value::String(class) = &self.optimizer {
            self.optimizer = json!({"class_name": class, "config": {}});
        }
        let optimizer = self.optimizer.as_object_mut().expect("an optimizer that was read is a name or an object");
        let config = optimizer.entry("config").or_insert_with(|| Map::new().into());
        config["learning_rate"] = rate.into();
    }
}

/// The precision that a settings file names.
fn precision(config: &mut Config) -> Result<Option<Precision>, ConfigError> {
    let mut name: Option<String> = None;
    config.optional("precision", &mut name)?;
    let Some(name) = name else { return Ok(None) };
    let expected = "'float32', 'mixed_bfloat16' or null";
    name.parse().map(Some).map_err(|_| config.refused("precision", expected, &name.into()))
}

fn name_of_precision<S: Serializer>(precision: &Option<Precision>, serializer: S) -> Result<S::Ok, S::Error> {
    precision.map(Precision::name).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn settings(file: &Value, options: &[&str]) -> Result<Settings, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, file.to_string()).unwrap();
        let path = path.to_str().unwrap();
        let words = ["stampnet", "train", "--settings", path].into_iter().chain(options.iter().copied());
        let Command::Train(args) = Cli::parse_from(words).command else { panic!("not train") };
        Settings::of(&args)
    }

    #[test]
    fn nothing_said_means_the_defaults() {
        let got = serde_json::to_value(settings(&json!({}), &[]).unwrap()).unwrap();
        assert_eq!(got, serde_json::to_value(Settings::default()).unwrap());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let file = json!({
            "model": {"class_name": "Sequential", "config": {"name": "tiny", "layers": []}},
            "optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.5}},
            "loss": {"class_name": "SparseCategoricalCrossentropy", "config": {"label_smoothing": 0.1}},
            "epochs": 3, "batch": 64, "seed": 7, "validation_split": 0.0, "patience": null, "precision": "mixed_bfloat16",
            "winograd": false,
            "data": "/data", "run": null,
        });
        let got = serde_json::to_value(settings(&file, &[]).unwrap()).unwrap();
        assert_eq!(got, file);
    }

    #[test]
    fn the_example_of_the_documentation_can_be_trained() {
        let page = include_str!("../../../docs/settings.md");
        let example = page.split("```").find_map(|part| part.strip_prefix("json\n")).unwrap();
        let settings = settings(&serde_json::from_str(example).unwrap(), &[]).unwrap();
        let mut model = settings.model.build(settings.seed).unwrap();
        model.compile(settings.optimizer(4_690).unwrap(), settings.loss().unwrap()).unwrap();
        assert_eq!(settings.optimizer_in_words(), "SGD, learning rate by OneCycle");
    }

    #[test]
    fn options_come_before_the_file() {
        let file = json!({"model": "dense", "optimizer": "adamw", "epochs": 3, "patience": 4, "data": "set"});
        let got = settings(&file, &["--epochs", "5", "--lr", "0.5", "--batch", "7", "--seed", "9"]).unwrap();
        assert_eq!((got.epochs, got.batch, got.seed, got.patience), (5, 7, 9, Some(4)));
        assert_eq!(got.optimizer, json!({"class_name": "adamw", "config": {"learning_rate": 0.5}}));
        assert!(got.data.unwrap().is_absolute());
        let got = settings(&file, &["--model", "cnn", "--no-early-stopping", "--data", "x", "--no-winograd"]).unwrap();
        assert_eq!((got.model.name(), got.patience, got.winograd), ("cnn", None, false));
        assert_eq!(got.data, Some("x".into()));
        assert_eq!(settings(&file, &["--validation-split", "0"]).unwrap().patience, None);
    }

    #[test]
    fn schedules_take_the_whole_run_unless_they_say_otherwise() {
        let rate_at = |config: Value, steps, at: usize| {
            let optimizer = json!({"class_name": "SGD", "config": {"learning_rate": config}});
            let settings = settings(&json!({"optimizer": optimizer}), &[]).unwrap();
            let mut optimizer = settings.optimizer(steps).unwrap();
            for _ in 0..at {
                optimizer.begin_step(&mut std::iter::empty());
            }
            optimizer.learning_rate()
        };
        let cosine = |more: Value| {
            let mut config = json!({"initial_learning_rate": 0.0, "warmup_target": 1.0, "warmup_steps": 2});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"class_name": "CosineDecay", "config": config})
        };
        assert!((rate_at(cosine(json!({})), 10, 6) - 0.5).abs() < 1e-12);
        assert!((rate_at(cosine(json!({"decay_steps": 4})), 10, 4) - 0.5).abs() < 1e-12);
        let cycle = json!({"class_name": "OneCycle", "config": {"max_learning_rate": 1.0}});
        assert!(rate_at(cycle, 10, 9) < 1e-5);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused() {
        for (file, expected) in [
            (json!({"epoch": 3}), "a settings file has no argument 'epoch'; did you mean 'epochs'?"),
            (json!({"epochs": 0}), "a settings file: 'epochs' must be at least 1; received 0"),
            (
                json!({"validation_split": 1.5}),
                "a settings file: 'validation_split' must be at least 0 and below 1; received 1.5",
            ),
            (
                json!({"precision": "float16"}),
                "'precision' must be 'float32', 'mixed_bfloat16' or null; received \"float16\"",
            ),
            (json!({"batch": "32"}), "'batch' must be a whole number that is not negative; received \"32\""),
            (json!([]), "a settings file must be an object; received another kind of JSON"),
            (json!({"optimizer": "adem"}), "there is no optimizer 'adem'; did you mean 'Adam'?"),
            (json!({"loss": "crossentropy"}), "there is no loss 'crossentropy'"),
            (
                json!({"optimizer": {"class_name": "SGD", "config": {"learning_rate": {"class_name": "OneCycle",
                    "config": {"max_learning_rate": 1, "pct_strat": 0.2}}}}}),
                "schedule OneCycle has no argument 'pct_strat'; did you mean 'pct_start'?",
            ),
        ] {
            let error = settings(&file, &[]).unwrap_err().to_string();
            assert!(error.starts_with("cannot use the settings '") && error.contains(expected), "{error}");
        }
        let error = settings(&json!({}), &["--validation-split", "0", "--patience", "3"]).unwrap_err().to_string();
        assert!(error.starts_with("stopping early needs images to validate with"), "{error}");
    }
}
