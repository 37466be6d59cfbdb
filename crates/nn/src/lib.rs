//! Keras-conformant layers, losses, optimizers and the fit loop.
