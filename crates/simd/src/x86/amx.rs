//! AMX tiles, by inline assembly: no intrinsic of stable Rust names them.
//!
//! The registers belong to a thread. They are configured for a product and released after it, so that the operating system
//! has nothing to save when it switches threads.

use std::arch::asm;
use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::bf16::{TileShape, Tiles, check_shapes};

/// Whether this CPU has AMX with bfloat16, and the operating system lets this process use it.
pub(crate) fn has_amx() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| super::bf16::has_avx512_bf16() && cpu_has_tiles() && request_permission())
}

/// Bits 22 (AMX-BF16) and 24 (AMX-TILE) of CPUID leaf 7, and the tiles' two states (17 and 18) in XCR0.
fn cpu_has_tiles() -> bool {
    const FEATURES: u32 = 1 << 22 | 1 << 24;
    const STATES: u64 = 1 << 17 | 1 << 18;
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & FEATURES != FEATURES || !is_x86_feature_detected!("xsave") {
        return false;
    }
    let (low, high): (u32, u32);
    // SAFETY: a CPU with AVX-512, which the caller has found, has XGETBV enabled; register 0 always exists.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    (u64::from(high) << 32 | u64::from(low)) & STATES == STATES
}

/// Linux hands out the eight kilobytes of tile state per thread only on request: `arch_prctl(ARCH_REQ_XCOMP_PERM,
/// XFEATURE_XTILEDATA)`. The permission holds for all threads of the process.
#[cfg(target_os = "linux")]
fn request_permission() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: a system call with two numbers; it reads and writes no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Elsewhere nobody has been asked how it is done.
#[cfg(not(target_os = "linux"))]
fn request_permission() -> bool {
    false
}

/// The tile registers of the running thread, released when dropped.
pub(crate) struct AmxTiles {
    /// The registers are the thread's, so the value must stay on it.
    not_send: PhantomData<*mut ()>,
}

impl AmxTiles {
    /// The tiles, not yet configured.
    ///
    /// # Safety
    /// [`has_amx`] must have said yes, and no other value of this type may live on the thread.
    pub(crate) const unsafe fn new() -> Self {
        Self { not_send: PhantomData }
    }
}

impl Drop for AmxTiles {
    fn drop(&mut self) {
        // SAFETY: new()'s caller vouches for the instruction.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

/// The operand of `ldtilecfg`.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles for AmxTiles {
    #[inline(always)]
    fn configure(&mut self, shapes: &[TileShape; 8]) {
        check_shapes(shapes);
        let mut config = Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        for (tile, shape) in shapes.iter().enumerate() {
            config.row_bytes[tile] = shape.row_bytes as u16;
            config.rows[tile] = shape.rows as u8;
        }
        // SAFETY: new()'s caller vouches for the instruction; palette 1 has eight tiles of 16 rows of 64 bytes, and the
        // shapes were checked against them.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly, preserves_flags)) };
    }

    #[inline(always)]
    fn zero<const T: usize>(&mut self) {
        // SAFETY: new()'s caller vouches for the instruction.
        unsafe { asm!("tilezero tmm{t}", t = const T, options(nostack, nomem, preserves_flags)) };
    }

    #[inline(always)]
    unsafe fn load<const T: usize>(&mut self, p: *const u8, row_step: usize) {
        // SAFETY: the caller vouches for the rows, new()'s caller for the instruction.
        unsafe {
            asm!("tileloadd tmm{t}, [{p} + {step}*1]", t = const T, p = in(reg) p, step = in(reg) row_step,
                options(nostack, readonly, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn store<const T: usize>(&mut self, p: *mut u8, row_step: usize) {
        // SAFETY: the caller vouches for the rows, new()'s caller for the instruction.
        unsafe {
            asm!("tilestored [{p} + {step}*1], tmm{t}", t = const T, p = in(reg) p, step = in(reg) row_step,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn dot<const SUM: usize, const A: usize, const B: usize>(&mut self) {
        // SAFETY: new()'s caller vouches for the instruction.
        unsafe {
            asm!("tdpbf16ps tmm{sum}, tmm{a}, tmm{b}", sum = const SUM, a = const A, b = const B,
                options(nostack, nomem, preserves_flags));
        }
    }
}
