//! How the peers are asked for times: a line of JSON comes in, and one goes out.
//!
//! ```text
//! {"op": "conv", "spec": [n, h, w, c, oc, k, stride, pad, groups], "pass": "forward", "seconds": 0.1}
//! {"op": "max_pool", "spec": [n, h, w, c, k, stride, pad], "pass": "train", "seconds": 0.1}
//! {"op": "model", "spec": [batch, steps], "pass": "train", "seconds": 0.1}
//! {"ms": 1.25}
//! {"refused": "why the peer cannot do this"}
//! ```
//!
//! `forward` is the forward pass alone. `train` is the forward pass and the gradients of input and weight; of the model,
//! whole steps with Adam. `model` is the network of `stampnet train`: two convolutions 3x3 with ReLU and a maximum over
//! 2x2, 32 and 64 channels; 100 dense units with ReLU, dropout of 0.4, 10 outputs.

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use serde::Deserialize;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One run of what was asked for.
pub type Run = Box<dyn FnMut() -> Result<()>>;

#[derive(Clone, Deserialize, PartialEq)]
pub struct Layer {
    pub op: String,
    pub spec: Vec<usize>,
    pub pass: String,
}

#[derive(Deserialize)]
struct Request {
    #[serde(flatten)]
    layer: Layer,
    seconds: f64,
}

/// Answers requests until there are no more. `make` prepares a layer, which is kept from one request to the next.
pub fn serve(mut make: impl FnMut(&Layer) -> Result<Run>) -> Result<()> {
    let mut last: Option<(Layer, Result<Run>)> = None;
    for line in stdin().lock().lines() {
        let Request { layer, seconds } = serde_json::from_str(&line?)?;
        last = last.filter(|(of, _)| *of == layer);
        let (_, run) = last.get_or_insert_with(|| {
            let warm = make(&layer).and_then(|mut run| run().map(|()| run));
            (layer, warm)
        });
        let answer = match run {
            Ok(run) => serde_json::json!({ "ms": median_ms(run, seconds)? }),
            Err(error) => serde_json::json!({ "refused": error.to_string().lines().next() }),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

/// The median over as many runs as fit, one at least.
fn median_ms(run: &mut Run, seconds: f64) -> Result<f64> {
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while times.is_empty() || Instant::now() < end {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Made-up numbers from -1 to 1.
pub fn numbers(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}
