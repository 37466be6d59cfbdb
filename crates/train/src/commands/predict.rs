//! `stampnet predict`: what pictures show.

use std::io::{self, Write};
use std::path::Path;

use console::Style;
use serde::Serialize;
use stampnet_geometry::Nhwc;
use stampnet_nn::Model;
use stampnet_tensor::{Shape, View};

use crate::cli::PredictArgs;
use crate::console::{Console, print_json};
use crate::error::CliError;
use crate::network;
use crate::picture::{Fitted, draw, fit, read_png};
use crate::threads;

/// Characters of a bar for certainty.
const BAR: f32 = 30.0;

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    image: &'a Path,
    inverted: bool,
    predictions: &'a [Prediction<'a>],
}

/// A class and how likely it is.
#[derive(Serialize)]
struct Prediction<'a> {
    class: usize,
    name: &'a str,
    probability: f32,
}

/// Reads all pictures, then predicts and prints.
///
/// # Errors
/// The model or a picture cannot be read, the model takes no pictures, or the output cannot be printed.
pub(crate) fn run(args: &PredictArgs) -> Result<(), CliError> {
    threads::start(&args.threads)?;
    let mut console = Console::new(args.json);
    let mut model = network::load(&args.model)?;
    model.set_winograd(!args.no_winograd);
    let input = picture_input(&model)?;
    let fitted: Result<Vec<Fitted>, CliError> =
        args.images.iter().map(|path| Ok(fit(&read_png(path)?, input, args.invert)?)).collect();
    let fitted = fitted?;
    let pixels: Vec<f32> = fitted.iter().flat_map(|fitted| fitted.picture.pixels.iter().copied()).collect();
    let samples = View::new([fitted.len(), input.h, input.w, input.c], &pixels)?;
    let probabilities = model.predict(samples)?;
    let names = network::class_names(&model);
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (i, (path, fitted)) in args.images.iter().zip(&fitted).enumerate() {
        let predictions = likeliest(probabilities.view().row(i).data(), &names, args.top);
        print_picture(&mut console, path, fitted, args.show)?;
        print_predictions(&mut console, &predictions, width)?;
        if args.json {
            print_json(&Line { image: path, inverted: fitted.inverted, predictions: &predictions })?;
        }
    }
    Ok(())
}

/// The network's input as a picture.
fn picture_input(model: &Model) -> Result<Nhwc, CliError> {
    let shape: Shape = model.input_shape();
    match *shape.dims() {
        [h, w, c] => Ok(Nhwc { n: 1, h, w, c }),
        _ => Err(CliError::NoPictureInput { network: model.name().to_owned(), input: shape }),
    }
}

/// The `top` likeliest classes, likeliest first.
fn likeliest<'a>(probabilities: &[f32], names: &'a [String], top: usize) -> Vec<Prediction<'a>> {
    let all = probabilities.iter().zip(names).enumerate();
    let mut predictions: Vec<Prediction<'a>> =
        all.map(|(class, (&probability, name))| Prediction { class, name, probability }).collect();
    predictions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    predictions.truncate(top);
    predictions
}

fn print_picture(console: &mut Console, path: &Path, fitted: &Fitted, show: bool) -> io::Result<()> {
    let note = if fitted.inverted { " (inverted)" } else { "" };
    let name = console.paint(Style::new().bold(), path.display());
    writeln!(console, "{name}{note}")?;
    if show { write!(console, "{}", draw(&fitted.picture)) } else { Ok(()) }
}

/// Prints a line per class, with the names in `width` characters.
fn print_predictions(console: &mut Console, predictions: &[Prediction<'_>], width: usize) -> io::Result<()> {
    for (rank, Prediction { name, probability, .. }) in predictions.iter().enumerate() {
        let style = if rank == 0 { Style::new().green() } else { Style::new() };
        let bar = console.paint(style, "█".repeat((probability * BAR).round() as usize));
        let line = format!("  {name:width$}  {:>6.2} %  {bar}", 100.0 * probability);
        writeln!(console, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let got: Vec<(usize, &str)> =
            likeliest(&[0.2, 0.5, 0.3], &names, 2).iter().map(|p| (p.class, p.name)).collect();
        assert_eq!(got, [(1, "b"), (2, "c")]);
        assert_eq!(likeliest(&[0.2, 0.5, 0.3], &names, 9).len(), 3);
    }
}
