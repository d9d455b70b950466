"""What specs are compared with: optimizers of other libraries, and numbers recorded from them."""
