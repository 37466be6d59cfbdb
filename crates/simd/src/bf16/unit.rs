//! Which instructions multiply bfloat16.

use std::fmt;

use super::emulated::OnVectors;
use super::tiles::EmulatedTiles;
use super::{Bf16Kernel, Bf16Product, Bf16Simd};
use crate::{Kernel, Level, Simd};

/// What multiplies bfloat16, on this machine. A value of this type is the proof that it is there, so running with it is
/// safe.
///
/// ```
/// use stampnet_simd::bf16::Bf16Unit;
///
/// for unit in Bf16Unit::available() {
///     println!("{unit}: {} lanes", unit.lanes());
/// }
/// assert!(Bf16Unit::available().contains(&Bf16Unit::current()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bf16Unit {
    vectors: Vectors,
    tiles: Option<TileKind>,
}

/// Whose vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Vectors {
    /// `vdpbf16ps`.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    /// Its emulation.
    Emulated(Level),
}

/// Whose tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum TileKind {
    /// `tdpbf16ps`.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// Its emulation.
    Emulated,
}

impl Bf16Unit {
    /// Every unit of this machine, the preferred one first: `amx` and `avx512_bf16` where the CPU has them, then the
    /// emulation of `avx512_bf16` at every level from the best one down, then that of `amx`.
    pub fn available() -> Vec<Self> {
        let mut units = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if crate::x86::amx::has_amx() {
                units.push(Self { vectors: Vectors::Avx512Bf16, tiles: Some(TileKind::Amx) });
            }
            if crate::x86::bf16::has_avx512_bf16() {
                units.push(Self { vectors: Vectors::Avx512Bf16, tiles: None });
            }
        }
        let mut levels: Vec<_> = Level::available().collect();
        levels.reverse();
        units.extend(levels.into_iter().map(Self::emulated));
        units.push(Self::emulated_tiles());
        units
    }

    /// The unit that new plans use: the first available one whose vectors are those of [`Level::current`], so that
    /// `STAMPNET_SIMD=avx2` turns AVX-512 and AMX off.
    pub fn current() -> Self {
        let level = Level::current();
        let units = Self::available();
        let fitting = units.into_iter().find(|unit| unit.level() == level);
        fitting.unwrap_or(Self::emulated(level))
    }

    /// The emulation of `avx512_bf16` on the vectors of `level`.
    pub const fn emulated(level: Level) -> Self {
        Self { vectors: Vectors::Emulated(level), tiles: None }
    }

    /// The emulation of `amx`, on the vectors of the best level. Slow: it exists to give AMX's bits on any machine.
    pub fn emulated_tiles() -> Self {
        Self { vectors: Vectors::Emulated(Level::best()), tiles: Some(TileKind::Emulated) }
    }

    /// The level of its float32 vectors.
    pub fn level(self) -> Level {
        match self.vectors {
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512Bf16 => Level::new(crate::Isa::Avx512).expect("AVX-512 BF16 comes with AVX-512"),
            Vectors::Emulated(level) => level,
        }
    }

    /// Numbers in one of its float32 vectors.
    pub const fn lanes(self) -> usize {
        match (self.tiles, self.vectors) {
            (None, Vectors::Emulated(level)) => level.lanes(),
            _ => 16,
        }
    }

    /// Whether products run on tiles.
    pub const fn has_tiles(self) -> bool {
        self.tiles.is_some()
    }

    /// Whether products are emulated.
    pub const fn is_emulated(self) -> bool {
        matches!((self.tiles, self.vectors), (Some(TileKind::Emulated), _) | (None, Vectors::Emulated(_)))
    }

    /// Runs `kernel` with the unit's vectors.
    #[inline]
    pub fn run<K: Bf16Kernel>(self, kernel: K) -> K::Output {
        match self.vectors {
            // SAFETY: such a unit exists only if the CPU has the features.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512Bf16 => unsafe { crate::x86::bf16::run_avx512_bf16(kernel) },
            Vectors::Emulated(level) => level.run(OnVectors(kernel)),
        }
    }

    /// Multiplies with the unit's tiles if it has any, else with its vectors.
    #[inline]
    pub fn multiply<P: Bf16Product>(self, product: P) {
        match self.tiles {
            #[cfg(target_arch = "x86_64")]
            Some(TileKind::Amx) => {
                // SAFETY: such a unit exists only if has_amx() said yes. Products do not nest: the tiles live as long as
                // this call, and a product has no way to start another.
                let mut tiles = unsafe { crate::x86::amx::AmxTiles::new() };
                product.tiles(&mut tiles);
            }
            Some(TileKind::Emulated) => self.level().run(OnTiles(product)),
            None => self.run(ByVectors(product)),
        }
    }
}

/// Runs a product on emulated tiles, with the instructions of a level.
struct OnTiles<P>(P);

impl<P: Bf16Product> Kernel for OnTiles<P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.0.tiles(&mut EmulatedTiles::new());
    }
}

/// Runs a product on vectors.
struct ByVectors<P>(P);

impl<P: Bf16Product> Bf16Kernel for ByVectors<P> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, vectors: V) {
        self.0.vectors(vectors);
    }
}

impl fmt::Display for Bf16Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tiles, self.vectors) {
            #[cfg(target_arch = "x86_64")]
            (Some(TileKind::Amx), _) => f.write_str("amx"),
            (Some(TileKind::Emulated), _) => f.write_str("emulated amx"),
            #[cfg(target_arch = "x86_64")]
            (None, Vectors::Avx512Bf16) => f.write_str("avx512_bf16"),
            (None, Vectors::Emulated(level)) => write!(f, "emulated avx512_bf16 on {level}"),
        }
    }
}
