"""The catalogue: one code for each kind of mistake, with what it means."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple


class CatalogueEntry(NamedTuple):
    """A code's title, and a paragraph that explains it to a spec's author."""

    title: str
    explanation: str


_FILE = {
    "E101": (
        "the spec cannot be read",
        "The file does not exist, is not a file, or may not be read.",
    ),
    "E102": (
        "the spec is not UTF-8",
        "A TOML file is text in UTF-8. The message says at which byte the text stops being "
        "that. Save the file as UTF-8 in your editor.",
    ),
    "E103": (
        "the spec is too large",
        "A spec has at most 256 KiB, 4,096 keys and tables, lines of at most 4,000 "
        "characters, and brackets and tables at most 64 deep. Nothing that describes an "
        "optimizer comes near; the limits keep a damaged file from exhausting the compiler.",
    ),
    "E104": (
        "not valid TOML",
        "The file breaks TOML's grammar, so that nothing after the place shown could be read."
        " Frequent causes: a string that is not closed, a key given twice, a table without "
        "its closing bracket, a value that should stand in quotes.",
    ),
    "E105": (
        "an invisible character",
        "The text holds a control character, or a mark that changes the order in which text "
        "is displayed. What a reader sees would not be what the compiler reads, so neither is"
        " allowed.",
    ),
}
_FORMAT = {
    "E201": (
        "unknown key",
        "The format has no key of this name at this place. The message names the nearest one,"
        " and otherwise all that are allowed.",
    ),
    "E202": (
        "missing key",
        "A key that this table must have is not there. A spec needs `name`, `summary`, "
        "`[hyperparameters]`, and either `update` or `[[modes]]`.",
    ),
    "E203": (
        "wrong type",
        "The value is of another type than the key takes, such as a string where a number must be.",
    ),
    "E204": (
        "value not allowed",
        "The value has the right type but is not one of those allowed: a default outside of "
        "its own bounds, a lower bound above the upper one, a number that is not finite.",
    ),
    "E205": (
        "not a name",
        "The optimizer's name is a CamelCase word; all other names start with an ASCII letter"
        " and go on with ASCII letters, digits and `_`. Names of modes, and of the file, are "
        "lower-case.",
    ),
    "E206": (
        "reserved name",
        "The name already means something: a word of Python, a function of the language, one "
        "of `w`, `g`, `t`, an argument that every optimizer has, a method of the class, or a "
        "name used in generated code. An argument that every optimizer has, such as "
        "`weight_decay`, may be declared as a hyperparameter; it then replaces the common "
        "one.",
    ),
    "E207": (
        "name used twice",
        "Hyperparameters, slots and locals share one set of names, and modes have another. "
        "Each name stands for one thing.",
    ),
    "E208": (
        "inconsistent hyperparameter",
        "The keys of a hyperparameter contradict each other: a default of another type, "
        "bounds of something that is not a number, two lower or two upper bounds, `choices` of "
        "something that is not a choice, a default that is missing although the hyperparameter "
        "is not optional.",
    ),
    "E209": (
        "inconsistent example",
        "An example gives one gradient and one expected value a step, each nested like "
        "`start`, for a mode that the spec has, and with hyperparameters that select that "
        "mode.",
    ),
    "E210": (
        "no learning rate",
        "Every optimizer has a hyperparameter `learning_rate`: schedules, decay and the "
        "class's attribute of that name rely on it.",
    ),
    "E211": (
        "update and modes",
        "A spec has either one `update` at the top or several `[[modes]]`, each with its own."
        " What modes share stands in `before` and `after`.",
    ),
    "E212": (
        "too many parts",
        "A spec has at most 64 hyperparameters, 64 slots, 64 modes, 256 examples, and 256 "
        "lines a block of equations.",
    ),
    "E213": (
        "two specs of one name",
        "The specs of a build become one package: their class names differ, and so do their "
        "file names.",
    ),
}
_EQUATIONS = {
    "E301": (
        "unknown name",
        "A name in an equation is a hyperparameter, a slot, a local assigned on an earlier "
        "line, or one of `w` (the variable), `g` (its gradient) and `t` (the step, from 1).",
    ),
    "E302": (
        "a slot is too small for its value",
        "A slot of rate `variable` holds one number per variable and one of rate `step` a "
        "single number, so a value that varies from element to element cannot be kept there; nor "
        "can it in a slot of rate `row`, `column` or `index`. Combine the elements first, with "
        "`sum`, `mean`, `norm` or `max`, with `row_mean`, `column_mean` and their like, or declare "
        "the slot per element.",
    ),
    "E303": (
        "not an equation",
        "Each line of equations is one assignment, `name = expression`, in the arithmetic of "
        "Python. A line may go on while a parenthesis is open. Names are written in ASCII "
        "letters, and products with `*`.",
    ),
    "E304": (
        "unsupported Python",
        "Equations hold numbers, names, `+ - * / **`, comparisons, `and`, `or`, `not`, and "
        "calls of the language's functions. The rest of Python is not part of the language, nor "
        "is the notation of other languages; the message says what to write instead.",
    ),
    "E305": (
        "unknown function",
        "The language has no function of this name. The message names the nearest one, and "
        "otherwise all of them.",
    ),
    "E306": (
        "wrong number of arguments",
        "A function is called with more or fewer arguments than it has.",
    ),
    "E307": (
        "truth value or number",
        "Comparisons and bool hyperparameters give truth values; arithmetic takes numbers. "
        "`where(condition, x, y)` makes a number out of a truth value. Slots, `w` and `g` "
        "hold numbers.",
    ),
    "E308": (
        "nothing to reduce",
        "`sum`, `mean`, `norm`, `max`, `sum_of_squares`, the functions named after rows and "
        "columns, and `index_max` combine elements, so their argument must have one number "
        "per element. That of `matrix_sum` and `matrix_mean` has one per row, and that of "
        "`index_minimum` one per index.",
    ),
    "E309": (
        "used before it is set",
        "Equations run from top to bottom. A local has no value until the line that assigns it.",
    ),
    "E310": (
        "not assignable",
        "Equations assign to `w`, `g`, slots and locals. Hyperparameters and the step `t` "
        "come from outside and are fixed for the duration of a step.",
    ),
    "E311": (
        "slot does not exist in this mode",
        "The slot's `when` is false in this mode, so no memory is kept for it there.",
    ),
    "E312": (
        "the variable is never updated",
        "A mode that does not assign `w` leaves every variable as it is.",
    ),
    "E313": (
        "useless slot",
        "A slot exists to carry a number from one step to the next. One that is never read, "
        "or never assigned, does not; one that is only read after being assigned is a local.",
    ),
    "E314": (
        "hyperparameter without effect",
        "No equation and no condition reads the hyperparameter, so users could set it and "
        "nothing would change.",
    ),
    "E315": (
        "slot not used in a mode",
        "The slot exists in this mode and takes memory there, but no equation of the mode "
        "assigns it. Restrict the slot by `when`, or assign it.",
    ),
    "E316": (
        "hyperparameter may be None",
        "An optional hyperparameter has no number when it is None. Use it only in modes whose"
        ' condition rules that out, such as `when = "threshold is not None"`.',
    ),
    "E317": (
        "choice in an equation",
        "A hyperparameter of type choice holds a word. It selects a mode by a condition; an "
        "equation cannot compute with it.",
    ),
    "E318": (
        "equation too large",
        "An equation has at most 2,000 characters, and parentheses and operations at most 64 "
        "deep. Name intermediate values on lines of their own.",
    ),
    "E319": (
        "a number per index among others",
        "`index_max` and slots of rate `index` have one number for each index of each axis, which "
        "belongs to no single element, row or column. `index_minimum(v)` makes one number per "
        "element of them; only then can they be combined with others.",
    ),
    "E320": (
        "not in an evaluation",
        "The equations of `evaluation` say what `w` is while a model is evaluated, between steps: "
        "they read the variable and its slots, there is no gradient, and they change `w` alone. "
        "Training goes on with the variable as it was.",
    ),
}
_MODES = {
    "E401": (
        "not a condition",
        "A condition compares hyperparameters with constants, and combines the comparisons by"
        " `and`, `or`, `not` and parentheses. A bool hyperparameter may stand alone.",
    ),
    "E402": (
        "no mode is selected",
        "For some values of the hyperparameters no mode's condition holds. Every combination "
        "must select exactly one mode; the message gives one that selects none.",
    ),
    "E403": (
        "two modes are selected",
        "For some values of the hyperparameters two modes' conditions hold at once. Every "
        "combination must select exactly one mode; the message gives one that selects both.",
    ),
    "E404": (
        "mode is never selected",
        "No values of the hyperparameters within their bounds fulfil the mode's condition.",
    ),
    "E405": (
        "too many combinations",
        "The constants in the conditions cut the ranges of the hyperparameters into more than"
        " 4,096 combinations, too many to decide one by one. Use fewer hyperparameters in "
        "conditions.",
    ),
    "E406": (
        "slot's condition splits a mode",
        "Within a mode a slot either exists or does not. Its condition must be true for all "
        "values that select the mode, or false for all of them.",
    ),
    "E407": (
        "impossible comparison",
        "A condition compares a hyperparameter with a constant that it can never be compared "
        "with: another type, a word that is not among its choices, None although it is not "
        "optional.",
    ),
    "E408": (
        "unknown hyperparameter in a condition",
        "Conditions speak of hyperparameters only, since a mode is chosen when the optimizer is "
        "made.",
    ),
    "E409": (
        "slot exists in no mode",
        "No mode's condition leaves the slot's condition true.",
    ),
    "E410": (
        "condition on the learning rate",
        "A mode is chosen when the optimizer is made, but the learning rate may be set again or "
        "follow a schedule from step to step.",
    ),
}

_EXAMPLES = {
    "E501": (
        "an example does not hold",
        "The equations are run on the example's gradients, in float64. Each value after each "
        "step must equal the expected one within `tolerance`, absolute plus relative.",
    ),
}

CATALOGUE = MappingProxyType(
    {
        code: CatalogueEntry(*entry)
        for code, entry in (_FILE | _FORMAT | _EQUATIONS | _MODES | _EXAMPLES).items()
    }
)
"""The catalogue, by code."""
