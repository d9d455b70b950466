"""Numbers of NVIDIA's NovoGrad, which has AMSGrad, recorded on float64 variables.

huggingface/pytorch-image-models at aa4b5850, timm/optim/nvnovograd.py (NVIDIA's NovoGrad, Jasper
example), run in float64 under torch 2.13. Its averaging also acts on the first step, so it was
switched on after that step. The epsilon is large enough to tell its place.
"""

from __future__ import annotations

from tests.references.peers.recorded import FOUR_STEPS, RecordedRun

START = ((1.0, -2.0, 3.0), (0.5,))

NOVOGRAD = {
    (0.0, False, False): (
        [0.6815469137633898, -1.867217606113074, 2.555482090126078],
        [0.09882988160283583],
    ),
    (0.0, False, True): (
        [0.700154221759959, -1.8611994068714868, 2.570261502052192],
        [0.09659078836368787],
    ),
    (0.0, True, False): (
        [0.8967842071334489, -1.8915611149541205, 2.6700662720410477],
        [0.15052766582145297],
    ),
    (0.0, True, True): (
        [0.8986449379331057, -1.8909592950299619, 2.6715442132336586],
        [0.15030375649753816],
    ),
    (0.1, False, False): (
        [0.595379024406245, -1.6910822630740312, 2.296475093140797],
        [0.061456531951063105],
    ),
    (0.1, False, True): (
        [0.613862153589321, -1.6851482297923173, 2.311229209915375],
        [0.05935838114479734],
    ),
    (0.1, True, False): (
        [0.857096116857895, -1.8120219725641284, 2.55118433013074],
        [0.13145926483811773],
    ),
    (0.1, True, True): (
        [0.8589556048700849, -1.8114209962982324, 2.5526620203704997],
        [0.13123676985636124],
    ),
}
"""The variables after four steps, by decay, averaging and AMSGrad."""


def novograd_runs() -> list[RecordedRun]:
    """Return the runs of NVIDIA's NovoGrad."""
    found = []
    for (weight_decay, grad_averaging, amsgrad), expected in NOVOGRAD.items():
        arguments = {
            "learning_rate": 0.1,
            "beta_1": 0.9,
            "beta_2": 0.75,
            "epsilon": 1e-3,
            "weight_decay": weight_decay,
            "grad_averaging": grad_averaging,
            "amsgrad": amsgrad,
        }
        found.append(RecordedRun(arguments, START, FOUR_STEPS, expected))
    return found
