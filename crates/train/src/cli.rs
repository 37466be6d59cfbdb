//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use stampnet_conv::Pass;
use stampnet_geometry::ConvDescriptor;
use stampnet_nn::Precision;

use crate::picture::Inversion;

/// Trains, tests and benchmarks convolutional networks on the CPU, in pure Rust.
#[derive(Debug, Parser)]
#[command(
    name = "stampnet",
    version,
    override_usage = "stampnet [COMMAND] [OPTIONS]",
    after_help = "\
Without a command, `stampnet` trains: `stampnet --epochs 3` is `stampnet train --epochs 3`.

Examples:
  stampnet                                        train the book's CNN on Fashion-MNIST
  stampnet train --model dense --epochs 5         train another network
  stampnet evaluate runs/my-run                   test a trained network
  stampnet predict runs/my-run shoe.png           ask a trained network
  stampnet summary cnn                            show a network's layers
  stampnet profile --html profile.html            see where a training step spends its time
  stampnet bench conv --only book                 time convolutions"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a network and test it
    Train(TrainArgs),
    /// Test a trained network on a test set
    Evaluate(EvaluateArgs),
    /// Say what pictures show
    Predict(PredictArgs),
    /// Show the layers of a network
    Summary(SummaryArgs),
    /// Show where the time of a training step goes
    Profile(ProfileArgs),
    /// Measure speed
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Time every convolution algorithm on real layer shapes
    Conv(BenchConvArgs),
    /// Time pooling beside reading and writing the same memory
    Pool(BenchPoolArgs),
    /// Time whole training steps
    Step(BenchStepArgs),
    /// Time inference
    Infer(BenchInferArgs),
}

/// Which data.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// Folder with the IDX files of a data set, plain or .gz [default: datasets/fashion-mnist, looked for from the current
    /// folder upwards and beside the program]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// How many threads.
#[derive(Debug, Args)]
pub(crate) struct ThreadArgs {
    /// Threads to compute with [default: the physical cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// `stampnet train`.
#[derive(Debug, Args)]
#[command(after_help = "\
A seeded 20 % of the training set is held out to validate with after each epoch. The test set is
touched once, at the end. Training stops early when the validation loss has not improved for
--patience epochs, and the weights of the best epoch are restored. Ctrl-C ends the run after the
current batch and saves what was learned; a second Ctrl-C aborts. The same seed gives the same
network on any number of threads.

The run folder holds model.safetensors (architecture and weights), settings.json, history.csv and
curves.svg. All are brought up to date after each epoch.

A settings file says more than options can: optimizer, schedule, loss, and a network with
augmentation layers. docs/settings.md describes it. The settings.json of a run folder is one, so
that --settings repeats a run; options go before what it says.

Examples:
  stampnet train
  stampnet train --epochs 20 --batch 128 --lr 0.002 --seed 7 --out runs/wide-steps
  stampnet train --model cnn-average
  stampnet train --model my-model.json            a file that Keras's model.to_json() wrote
  stampnet train --settings runs/wide-steps/settings.json --seed 8
  stampnet train --data datasets/my-idx-set --json | tail -1")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Settings file, such as the settings.json of another run
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Network: dense, cnn, cnn-average, vgg, resnet or mobilenet, or a JSON file in Keras's schema [default: cnn]
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
    /// Passes over the training set, at most [default: 10]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) epochs: Option<usize>,
    /// Images per step [default: 32]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,
    /// Learning rate, constant; that of Adam if no settings name another optimizer [default: 0.001]
    #[arg(long, value_name = "RATE", value_parser = learning_rate, allow_negative_numbers = true)]
    pub(crate) lr: Option<f64>,
    /// Precision of the values between layers: float32 or mixed_bfloat16 [default: what the network says, float32 for the
    /// built-in ones]
    #[arg(long, value_name = "POLICY", value_parser = precision_names())]
    pub(crate) precision: Option<Precision>,
    /// Seed of everything random: weights, split, order, dropout, augmentation [default: 42]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Share of the training set to hold out; 0 trains on all of it, to the last epoch [default: 0.2]
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    pub(crate) validation_split: Option<f64>,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Sum convolutions as their definition does, without Winograd's tiles: less rounding, more time
    #[arg(long)]
    pub(crate) no_winograd: bool,
    /// Run folder to create [default: runs/DATE-TIME-MODEL]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Stop after this many epochs without a better validation loss [default: 2]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) patience: Option<usize>,
    /// Train all epochs and keep the last weights
    #[arg(long, conflicts_with = "patience")]
    pub(crate) no_early_stopping: bool,
    /// End with one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stampnet evaluate runs/my-run
  stampnet evaluate runs/my-run/model.safetensors --data datasets/fashion-mnist
  stampnet evaluate runs/my-run --json | tail -1")]
pub(crate) struct EvaluateArgs {
    /// Run folder, or model file
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Images per step
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: usize,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Sum convolutions as their definition does, without Winograd's tiles: less rounding, more time
    #[arg(long)]
    pub(crate) no_winograd: bool,
    /// End with one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet predict`.
#[derive(Debug, Args)]
#[command(after_help = "\
Pictures are PNG files of any kind and size. They become the network's input by this rule:
  - transparent pixels are laid on white; gray is 0.299 red + 0.587 green + 0.114 blue;
  - networks trained on Fashion-MNIST expect light things before black, so with --invert auto a
    picture whose outermost pixels are lighter than one half on average is inverted;
  - the aspect ratio is kept: the picture is shrunk (averaging areas) or enlarged (linearly between
    pixels) to the largest size that fits, centred, and the rest is filled with the average of its
    outermost pixels.
--show draws the result.

Examples:
  stampnet predict runs/my-run shoe.png
  stampnet predict runs/my-run *.png --top 1
  stampnet predict runs/my-run bag.png --show --invert no")]
pub(crate) struct PredictArgs {
    /// Run folder, or model file
    pub(crate) model: PathBuf,
    /// PNG files
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Classes to list, likeliest first
    #[arg(long, value_name = "N", default_value = "3", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) top: usize,
    /// Whether to invert pictures
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) invert: Inversion,
    /// Draw what the network sees
    #[arg(long)]
    pub(crate) show: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Sum convolutions as their definition does, without Winograd's tiles: less rounding, more time
    #[arg(long)]
    pub(crate) no_winograd: bool,
    /// Print one line of JSON per picture on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet summary`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stampnet summary
  stampnet summary cnn-average
  stampnet summary my-model.json
  stampnet summary runs/my-run")]
pub(crate) struct SummaryArgs {
    /// Network: dense, cnn, cnn-average, vgg, resnet or mobilenet, a JSON file in Keras's schema, a run folder, or a model file
    #[arg(value_name = "NAME|PATH", default_value = "cnn")]
    pub(crate) model: String,
}

/// `stampnet bench conv`.
#[derive(Debug, Args)]
#[command(after_help = "\
First the machine's peak of multiply-adds is measured; the table gives the share of it that each
algorithm reaches. An asterisk marks the algorithm that training uses. Times are medians; a
multiply-add counts as two operations, padding included. The reference algorithm is left out where
it would take seconds.

With --explain, each algorithm's answer comes first: whether it takes the convolution, declines it, or
is passed over because a later one is known to be faster; the first that takes it is picked. The
algorithms then race: they take turns, and the shortest times count. --seconds 0 leaves the race out.

With --rule, the picks are judged by such races. Those more than 10 % behind the best are measured
again and printed if they still are; at the end comes the share of them. N random layers cover sizes,
channels, kernels, strides, dilations, groups and paddings in the ranges that people use; --rule 0
judges the list of real layers instead.

A shape is written as one line: batch, height, width and channels, filters (oc), kernel (k), and where
they differ from 1, valid and 1: stride (s), dilation (d), padding (p: four cells or a name), groups (g).

Examples:
  stampnet bench conv --only book
  stampnet bench conv --only resnet --pass forward --threads 1
  stampnet bench conv --algorithm im2col+gemm --batch 1
  stampnet bench conv --json > conv.jsonl
  stampnet bench conv --explain --only book2
  stampnet bench conv --explain --shape \"n8h56w56c64 oc128 k3 s2 psame\" --pass grad_input
  stampnet bench conv --rule 200 --seed 7 --seconds 0.02")]
pub(crate) struct BenchConvArgs {
    /// Only shapes whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// Only this pass: forward, grad_input or grad_weight
    #[arg(long, value_parser = pass)]
    pub(crate) pass: Option<Pass>,
    /// Only this algorithm
    #[arg(long, value_name = "NAME", value_parser = algorithm_names())]
    pub(crate) algorithm: Option<String>,
    /// Batch size, instead of each shape's own
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,
    /// One shape as a line of text, instead of the list
    #[arg(long, value_name = "TEXT", conflicts_with = "only")]
    pub(crate) shape: Option<ConvDescriptor>,
    /// Say what each algorithm answers, which one is picked and why, and whether it is the fastest
    #[arg(long, conflicts_with = "algorithm")]
    pub(crate) explain: bool,
    /// Judge the rule that picks, on N random layers, or with 0 on the list
    #[arg(long, value_name = "N", conflicts_with_all = ["explain", "algorithm", "shape"])]
    pub(crate) rule: Option<u32>,
    /// Seed of the random layers
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Time to spend on each measurement
    #[arg(long, value_name = "S", default_value = "0.2", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) seconds: f64,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Print one line of JSON per shape, pass and algorithm on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet bench pool`.
#[derive(Debug, Args)]
#[command(after_help = "\
Pooling does next to no arithmetic, so the memory that it reads and writes is its limit. Each pass takes
turns with a plain walk over the same memory by the same threads; the ratio of the medians is what
pooling costs beyond it.

Examples:
  stampnet bench pool --only book1
  stampnet bench pool --batch 1 --threads 1
  stampnet bench pool --json > pool.jsonl")]
pub(crate) struct BenchPoolArgs {
    /// Only shapes whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// Batch size, instead of each shape's own
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,
    /// Time to spend on each measurement
    #[arg(long, value_name = "S", default_value = "0.1", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) seconds: f64,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Print one line of JSON per shape and pass on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet bench step`.
#[derive(Debug, Args)]
#[command(after_help = "\
A step gathers a batch, computes loss and gradients, and lets Adam update the weights.

Examples:
  stampnet bench step
  stampnet bench step --threads 1 --batch 128
  stampnet bench step --model dense --json")]
pub(crate) struct BenchStepArgs {
    /// Network: dense, cnn, cnn-average, vgg, resnet or mobilenet, or a JSON file in Keras's schema
    #[arg(long, value_name = "NAME|FILE", default_value = "cnn")]
    pub(crate) model: String,
    /// Images per step
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: usize,
    /// Steps per repeat; the median of the repeats is reported
    #[arg(long, value_name = "N", default_value = "50", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) steps: usize,
    /// Images that go through the network together; as many as the batch: all [default: a rule chooses]
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) strip: Option<usize>,
    /// Precision of the values between layers: float32 or mixed_bfloat16 [default: what the network says, float32 for the
    /// built-in ones]
    #[arg(long, value_name = "POLICY", value_parser = precision_names())]
    pub(crate) precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet profile`.
#[derive(Debug, Args)]
#[command(after_help = "\
A step gathers a batch, computes loss and gradients, and lets Adam update the weights. The table has the
time of each layer's parts; GFLOP/s counts the multiply-adds of the definition, two operations each, and
GB/s each array once. The roofline is the least time that these take at the machine's measured limits of
arithmetic and memory: algorithms that multiply less than the definition, and arrays that stay in cache,
can be above 100 %. The last lines say where there is most to gain.

Examples:
  stampnet profile
  stampnet profile --model vgg --batch 32 --threads 1
  stampnet profile --html profile.html
  stampnet profile --json | tail -1")]
pub(crate) struct ProfileArgs {
    /// Network: dense, cnn, cnn-average, vgg, resnet or mobilenet, or a JSON file in Keras's schema
    #[arg(long, value_name = "NAME|FILE", default_value = "cnn")]
    pub(crate) model: String,
    /// Images per step
    #[arg(long, value_name = "N", default_value = "128", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) batch: usize,
    /// Steps to time, after as many to warm up
    #[arg(long, value_name = "N", default_value = "100", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) steps: usize,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Also write a page with pictures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// End with one line of JSON on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// `stampnet bench infer`.
#[derive(Debug, Args)]
pub(crate) struct BenchInferArgs {
    /// Network: dense, cnn, cnn-average, vgg, resnet or mobilenet, a JSON file in Keras's schema, a run folder or a model file
    #[arg(long, value_name = "NAME|PATH", default_value = "cnn")]
    pub(crate) model: String,
    /// Images per call; may be given several times
    #[arg(long, value_name = "N", default_values = ["128", "1"], value_parser = positive)]
    pub(crate) batch: Vec<usize>,
    /// Seconds per repeat; the median of the repeats is reported
    #[arg(long, value_name = "S", default_value = "0.3", value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Precision, Keras's name: float32 or mixed_bfloat16 [default: the network's]
    #[arg(long, value_name = "POLICY", value_parser = precision_names())]
    pub(crate) precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) threads: ThreadArgs,
    /// Print one line of JSON for each batch size on standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whole numbers from 1.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(number as usize),
        _ => Err(format!("give a whole number from 1 to {}", u32::MAX)),
    }
}

/// As many threads as a machine may have.
fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=1024).contains(&number) => Ok(number),
        _ => Err("give a number of threads from 1 to 1024".into()),
    }
}

fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a learning rate is a number above 0".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("a share is at least 0 and below 1".into()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 0 to 3600".into()),
    }
}

fn precision_names() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::ALL.map(Precision::name)).try_map(|name| name.parse())
}

fn algorithm_names() -> PossibleValuesParser {
    stampnet_conv::algorithms().into()
}

fn pass(text: &str) -> Result<Pass, String> {
    let named = Pass::ALL.into_iter().find(|pass| pass.to_string() == text);
    named.ok_or_else(|| "a pass is forward, grad_input or grad_weight".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_without_meaning_are_wrong_usage() {
        for option in [
            "--batch=0",
            "--epochs=0",
            "--threads=0",
            "--lr=0",
            "--lr=nan",
            "--patience=0",
            "--seed=-1",
            "--validation-split=1",
        ] {
            assert!(Cli::try_parse_from(["stampnet", "train", option]).is_err(), "{option}");
        }
        for option in ["--seconds=-1", "--seconds=inf", "--pass=backward", "--algorithm=fft"] {
            assert!(Cli::try_parse_from(["stampnet", "bench", "conv", option]).is_err(), "{option}");
        }
    }
}
