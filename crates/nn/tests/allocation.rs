//! Training allocates nothing per step.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use stampnet_data::TensorSet;
use stampnet_nn::{Adam, BatchLog, Callback, Control, FitOptions, Loss, models};
use stampnet_tensor::{Shape, Tensor};
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
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Notes the number of allocations after each batch, in memory that is there beforehand.
struct Counts {
    after: [usize; 16],
    batches: usize,
}

impl Callback for Counts {
    fn on_batch_end(&mut self, _: &BatchLog) -> Control {
        self.after[self.batches] = ALLOCATIONS.load(Ordering::Relaxed);
        self.batches += 1;
        Control::Continue
    }
}

#[test]
fn a_training_step_allocates_nothing() {
    let images = Tensor::zeros(Shape::new(&[20, 28, 28, 1]).unwrap());
    let labels = Tensor::from_vec([20], (0..20).map(|i| (i % 10) as f32).collect()).unwrap();
    let data = TensorSet::new(images.view(), labels.view()).unwrap();
    let mut counts = Counts { after: [0; 16], batches: 0 };
    // Inside a pool, since rayon allocates where work is handed over from outside. One thread, since with more of them a
    // thread may run its first task of a kind, for which it makes its scratch memory, at any step.
    on_threads(1, || {
        let mut model = models::book_cnn().build(1).unwrap();
        model.compile(Adam::default(), Loss::SparseCategoricalCrossentropy).unwrap();
        // Five batches of 4 are the first epoch, in which operations are recorded and the optimizer makes its moments.
        model.fit(&data, FitOptions::new(2).batch_size(4).callback(&mut counts)).unwrap();
    });
    assert_eq!(counts.batches, 10);
    assert_eq!(counts.after[5..10], [counts.after[5]; 5], "the steps of the second epoch");
}
