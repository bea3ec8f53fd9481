"""Pure functions of tensors run as one program: traced on a CPU, recorded on a GPU."""
