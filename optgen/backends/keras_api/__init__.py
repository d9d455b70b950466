"""The class backend: a Keras-style optimizer class per spec, and the module of the common stages."""
