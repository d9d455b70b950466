"""Names that papers and other libraries use, and what the language calls the same."""

from __future__ import annotations

from collections.abc import Collection

_NAMES = {
    "w": (
        *("param", "params", "parameter", "parameters", "theta", "var", "variable", "weight"),
        *("weights", "x", "p"),
    ),
    "g": ("grad", "grads", "gradient", "gradients", "dw", "dx", "dtheta", "g_t"),
    "t": ("step", "steps", "iteration", "iter", "global_step", "k", "epoch"),
    "learning_rate": ("lr", "eta", "alpha", "gamma", "rate", "step_size", "stepsize"),
    "epsilon": ("eps", "delta", "tiny"),
    "eps": ("epsilon",),
    "momentum": ("mu", "beta", "mom"),
    "weight_decay": ("wd", "lam", "lamda", "lambda_", "decay"),
    "beta_1": ("b1", "beta1", "betas"),
    "beta_2": ("b2", "beta2", "betas"),
    "clip": ("clamp", "clip_by_value"),
    "minimum": ("min", "fmin"),
    "maximum": ("fmax", "relu"),
    "max": ("amax", "reduce_max"),
    "sum": ("reduce_sum",),
    "mean": ("average", "reduce_mean"),
    "norm": ("l2_norm", "l2norm", "norm2", "vector_norm"),
    "sqrt": ("root",),
    "abs": ("absolute", "fabs", "mod"),
    "sign": ("sgn",),
    "log": ("ln",),
    "where": ("cond", "ifelse", "iif", "select"),
    "True": ("true", "TRUE"),
    "False": ("false", "FALSE"),
    "None": ("none", "null", "nil", "nan"),
}
"""Per name of the language, or of a spec, what others call it."""

_EXPRESSIONS = {
    "pow": "x ** y",
    "power": "x ** y",
    "square": "x ** 2",
    "rsqrt": "1 / sqrt(x)",
    "dot": "sum(x * y)",
    "vdot": "sum(x * y)",
    "inner": "sum(x * y)",
    "min": "minimum(x, y)",
    "addcdiv": "x + value * y / z",
    "addcmul": "x + value * y * z",
    "lerp": "x + weight * (y - x)",
    "add": "x + y",
    "sub": "x - y",
    "subtract": "x - y",
    "mul": "x * y",
    "multiply": "x * y",
    "div": "x / y",
    "divide": "x / y",
    "neg": "-x",
    "negative": "-x",
    "reciprocal": "1 / x",
}
"""Functions of other libraries that the language writes as an expression."""
_ADVICE = {
    "zeros": "write `0`: a number stands for every element",
    "zeros_like": "write `0`: a number stands for every element",
    "ones": "write `1`: a number stands for every element",
    "ones_like": "write `1`: a number stands for every element",
    "full_like": "write the number alone: it stands for every element",
    "float": "all numbers are floats: write the value alone",
    "numel": "write `size`, the number of elements",
    "len": "write `size`, the number of elements",
    "pi": "write the number, 3.141592653589793",
    "inf": "numbers are finite: write a large one, such as `1e30`",
    "nan": "numbers are finite",
    "true": "a truth value is a comparison or a bool hyperparameter",
    "false": "a truth value is a comparison or a bool hyperparameter",
    "none": "None stands in conditions only",
    "null": "None stands in conditions only",
}
"""What to do about other names of libraries."""


def other_name(name: str, known: Collection[str]) -> str | None:
    """The known name that stands for the same as another library's; None if there is none."""
    # A letter of the other case is another quantity: `K` is no step.
    lower = name.lower() if len(name) > 1 else name
    return next((own for own, names in _NAMES.items() if lower in names and own in known), None)


def in_the_language(name: str) -> str | None:
    """What to write for a function or constant of another library; None if that is not known."""
    expression = _EXPRESSIONS.get(name)
    return f"write `{expression}`" if expression is not None else _ADVICE.get(name)


def without_index(name: str, known: Collection[str]) -> str | None:
    """The known name inside one like ``w_t`` or ``m_prev``, which has an index of the step."""
    for base in known:
        if name in (base + suffix for suffix in _AFTER) or name in (
            prefix + base for prefix in _BEFORE
        ):
            return base
    return None


_AFTER = (
    *("_t_1", "_tm1", "_t1", "_t", "t", "_k", "_n", "_i"),
    *("_prev", "_previous", "_last", "_old", "_next", "_new"),
)
_BEFORE = ("prev_", "previous_", "last_", "old_", "next_", "new_")
