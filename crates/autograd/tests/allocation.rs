//! A replayed step allocates nothing.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{batch_norm, labels, random};
use stampnet_autograd::{AutogradError, DepthWindows, Mode, Tape, Targets, Var};
use stampnet_conv::Activation;
use stampnet_geometry::{AxisPadding, ConvOptions, Padding, PoolOptions, TransposedOptions};
use stampnet_testkit::on_threads;

/// Counts allocations of all threads.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of GlobalAlloc.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A loss behind every operation that has a kernel of its own, large enough that work is split.
fn record(tape: &mut Tape) -> Result<Var, AutogradError> {
    let x = tape.input(random(&[16, 28, 28, 3], 1));
    let (weight, bias) = (tape.variable(random(&[3, 3, 3, 16], 2)), tape.variable(random(&[16], 3)));
    let options = ConvOptions::new(16, 3).padding(Padding::Same);
    let y = tape.conv2d(x, weight, Some(bias), &options, Activation::Relu)?;
    let (gamma, beta) = (tape.variable(random(&[16], 4)), tape.variable(random(&[16], 5)));
    let y = batch_norm(tape, y, Some(gamma), Some(beta))?;
    let activated = [
        tape.relu(y)?,
        tape.sigmoid(y)?,
        tape.tanh(y)?,
        tape.gelu(y)?,
        tape.softmax(y)?,
        tape.log_softmax(y)?,
        volumes(tape, y)?,
    ];
    let mut sum = y;
    for y in activated {
        sum = tape.add(sum, y)?;
    }
    let joined = tape.concat(&[sum, y], 3)?;
    let mean = tape.global_avg_pool2d(joined)?;
    let mean = tape.reshape(mean, &[16, 1, 1, 32])?;
    let wide = tape.broadcast(mean, &[16, 28, 28, 32])?;
    let joined = tape.squared_error(joined, wide)?;
    let y = tape.dropout(sum, 0.4, 1)?;
    let y = tape.max_pool2d(y, &PoolOptions::new(2))?;
    let y = tape.avg_pool2d(y, &PoolOptions::new(3))?;
    let y = tape.global_avg_pool2d(y)?;
    let (weight, bias) = (tape.variable(random(&[16, 16], 6)), tape.variable(random(&[16], 7)));
    let y = tape.matmul(y, weight)?;
    let y = tape.dense(y, weight, Some(bias), Activation::Relu)?;
    let labels = tape.input(labels(16, 16));
    let loss = tape.softmax_cross_entropy(y, Targets::labels(labels))?;
    let probabilities = tape.softmax(y)?;
    let other = tape.cross_entropy(probabilities, Targets::labels(labels).label_smoothing(0.1))?;
    let penalty = tape.squared_error(sum, activated[0])?;
    let loss = tape.add(loss, other)?;
    let loss = tape.add(loss, joined)?;
    let penalty = tape.scale(penalty, 0.1)?;
    let losses = tape.add(loss, penalty)?;
    tape.mean(losses)
}

/// The operations of layers on volumes, as many channels out as in.
fn volumes(tape: &mut Tape, x: Var) -> Result<Var, AutogradError> {
    let shape = tape.shape(x);
    let weight = tape.variable(random(&[3, 3, 16, 16], 8));
    let options = TransposedOptions::new(16, 3).padding(Padding::Same);
    let y = tape.conv2d_transpose(x, weight, None, &options, Activation::Relu)?;
    let y = tape.permute(y, &[3, 0, 1, 2])?;
    let y = tape.reshape(y, &[1, 16, 16, 28, 28])?;
    let windows = DepthWindows { kernel: 1, stride: 1, dilation: 1, padding: AxisPadding::Same, groups: 2 };
    let y = tape.stack_depth(y, &windows)?;
    tape.reshape(y, &shape)
}

#[test]
fn a_replayed_step_allocates_nothing() {
    // Inside a pool, since rayon allocates where work is handed over from outside. One thread, since with more of them a
    // thread may run its first task of a kind, for which it makes its scratch memory, at any step.
    on_threads(1, || {
        let mut tape = Tape::new(Mode::Training);
        let loss = record(&mut tape).unwrap();
        let mut step = |index| {
            tape.zero_grad();
            tape.replay(index);
            tape.backward(loss).unwrap();
        };
        (0..5).for_each(&mut step);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        (5..8).for_each(&mut step);
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    });
}
