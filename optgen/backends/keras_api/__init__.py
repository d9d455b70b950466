"""The class backend: a Keras-style class per spec, and the module of the common stages."""
