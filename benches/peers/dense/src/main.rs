//! Times the three products of a dense layer beside the crates `gemm` and `matrixmultiply`, in one run, in turn.
//!
//! ```text
//! forward      y[batch, units]      = x[batch, inputs] * w[inputs, units]
//! grad_x       grad_x[batch, inputs] = grad_y * w^T
//! grad_w       grad_w[inputs, units] = x^T * grad_y
//! ```
//!
//! `cargo run --release -- THREADS [SECONDS] [OUT.json]`. Times are medians of turns; ratios below 1 are ahead.

use std::time::{Duration, Instant};

use gemm::Parallelism;
use serde_json::json;
use stampnet_gemm::{Epilogue, GemmPlan, Matrix, MatrixMut};
use stampnet_tensor::AlignedVec;

/// Batch sizes, and inputs x units of common dense layers.
const BATCHES: [usize; 4] = [32, 64, 128, 256];
const LAYERS: [[usize; 2]; 7] = [[3136, 100], [784, 128], [512, 10], [1024, 256], [1568, 512], [4096, 512], [100, 10]];

/// `C = A B` of one pass: A is m x k, B is k x n; whether each is stored transposed.
#[derive(Clone, Copy)]
struct Product {
    pass: &'static str,
    size: [usize; 3],
    turned: [bool; 2],
}

fn products(batch: usize, [inputs, units]: [usize; 2]) -> [Product; 3] {
    [
        Product { pass: "forward", size: [batch, inputs, units], turned: [false, false] },
        Product { pass: "grad_x", size: [batch, units, inputs], turned: [false, true] },
        Product { pass: "grad_w", size: [inputs, batch, units], turned: [true, false] },
    ]
}

struct Arrays {
    a: AlignedVec<f32>,
    b: AlignedVec<f32>,
    c: AlignedVec<f32>,
}

fn filled(len: usize) -> AlignedVec<f32> {
    let mut array = AlignedVec::zeroed(len);
    for (i, x) in array.iter_mut().enumerate() {
        *x = (i * 7919 % 1013) as f32 / 1013.0 - 0.5;
    }
    array
}

impl Product {
    fn stampnet(&self, plan: &mut GemmPlan, arrays: &mut Arrays) {
        let [m, k, n] = self.size;
        let matrix = |data, rows, columns, turned: bool| {
            if turned {
                Matrix::row_major(data, columns, rows).transposed()
            } else {
                Matrix::row_major(data, rows, columns)
            }
        };
        let (a, b) = (matrix(&arrays.a, m, k, self.turned[0]), matrix(&arrays.b, k, n, self.turned[1]));
        plan.run(a, b, Epilogue::default(), MatrixMut::row_major(&mut arrays.c, m, n));
    }

    /// Row and column strides of A and B.
    fn strides(&self) -> [[isize; 2]; 2] {
        let [m, k, n] = self.size.map(|size| size as isize);
        [if self.turned[0] { [1, m] } else { [k, 1] }, if self.turned[1] { [1, k] } else { [n, 1] }]
    }

    fn gemm(&self, threads: usize, arrays: &mut Arrays) {
        let ([m, k, n], [a, b]) = (self.size, self.strides());
        let parallelism = if threads == 1 { Parallelism::None } else { Parallelism::Rayon(threads) };
        // SAFETY: the arrays have the sizes of the product, and C is borrowed alone.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                arrays.c.as_mut_ptr(),
                1,
                n as isize,
                false,
                arrays.a.as_ptr(),
                a[1],
                a[0],
                arrays.b.as_ptr(),
                b[1],
                b[0],
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    }

    fn matrixmultiply(&self, arrays: &mut Arrays) {
        let ([m, k, n], [a, b]) = (self.size, self.strides());
        // SAFETY: as above.
        unsafe {
            matrixmultiply::sgemm(
                m,
                k,
                n,
                1.0,
                arrays.a.as_ptr(),
                a[0],
                a[1],
                arrays.b.as_ptr(),
                b[0],
                b[1],
                0.0,
                arrays.c.as_mut_ptr(),
                n as isize,
                1,
            );
        }
    }
}

/// The median time of a call of each, in microseconds; they take turns.
fn race(seconds: f64, mut calls: [&mut dyn FnMut(); 3]) -> [f64; 3] {
    let mut times: [Vec<f64>; 3] = Default::default();
    for call in &mut calls {
        call();
    }
    let begin = Instant::now();
    while times[0].len() < 5 || begin.elapsed() < Duration::from_secs_f64(seconds) {
        for (call, times) in calls.iter_mut().zip(&mut times) {
            call();
            let start = Instant::now();
            let mut count = 0;
            while count < 1 || start.elapsed() < Duration::from_micros(200) {
                call();
                count += 1;
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / count as f64);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let seconds: f64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0.05);
    let out = arguments.next();
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("MATMUL_NUM_THREADS", threads.to_string()) };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("threads can be started");
    println!(
        "{threads} threads; microseconds: ours, gemm, matrixmultiply; GFLOP/s of ours; ours / the better of the two"
    );
    let mut records = Vec::new();
    let (mut logarithms, mut count) = (0.0, 0);
    for layer in LAYERS {
        for batch in BATCHES {
            for product in products(batch, layer) {
                let [m, k, n] = product.size;
                let new = || Arrays { a: filled(m * k), b: filled(k * n), c: AlignedVec::zeroed(m * n) };
                let (mut first, mut second, mut third) = (new(), new(), new());
                let mut plan = GemmPlan::new(m, k, n);
                let times = race(
                    seconds,
                    [
                        &mut || product.stampnet(&mut plan, &mut first),
                        &mut || product.gemm(threads, &mut second),
                        &mut || product.matrixmultiply(&mut third),
                    ],
                );
                for (&x, &y) in first.c.iter().zip(second.c.iter()) {
                    assert!((x - y).abs() < 1e-3 * k as f32, "{} {m}x{k}x{n}: {x} {y}", product.pass);
                }
                let ratio = times[0] / times[1].min(times[2]);
                let gflops = 2e-3 * (m * k * n) as f64 / times[0];
                println!(
                    "{batch:4} x {:4} -> {:3}  {:8} {:9.1} {:9.1} {:9.1} {gflops:8.1} {ratio:6.2}",
                    layer[0], layer[1], product.pass, times[0], times[1], times[2]
                );
                logarithms += ratio.ln();
                count += 1;
                records.push(json!({
                    "batch": batch, "inputs": layer[0], "units": layer[1], "pass": product.pass, "threads": threads,
                    "us": times[0], "gemm_us": times[1], "matrixmultiply_us": times[2], "gflops": gflops, "ratio": ratio,
                }));
            }
        }
    }
    println!("geometric mean {:.3}", (logarithms / f64::from(count)).exp());
    if let Some(out) = out {
        let lines: Vec<String> = records.iter().map(|record| record.to_string()).collect();
        std::fs::write(&out, lines.join("\n") + "\n").expect("the record can be written");
    }
}
