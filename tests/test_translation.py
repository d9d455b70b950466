"""Lines of papers, and what is proposed for them: nothing where they may mean several things."""

from __future__ import annotations

import pytest

from optgen.frontend.notation import findings
from optgen.frontend.translation import Translator

BOXES = {
    "unicode": """
        m_t = β₁ m_{t−1} + (1 − β₁) g_t         | m = beta_1 * m + (1 - beta_1) * g
        v_t ← β_2·v_{t−1} + (1 − β_2)·g_t²      | v = beta_2 * v + (1 - beta_2) * g ** 2
        m̂_t = m_t / (1 - β_1^t)                 | m_hat = m / (1 - beta_1 ** t)
        θ_t = θ_{t-1} - α m̂_t / (√v_t + ε)  | w = w - alpha * m_hat / (sqrt(v) + epsilon)
    """,
    "latex": r"""
        m_t \leftarrow \beta m_{t-1} + \left(1-\beta\right) \cdot g | m = beta * m + (1 - beta) * g
        v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^{2}  | v = beta_2 * v + (1 - beta_2) * g ** 2
        \hat{m}_t = \frac{m_t}{1-\beta_1^t}         | m_hat = m / (1 - beta_1 ** t)
        \hat{v}_t = \max\left(\hat{v}_{t-1}, v_t\right) | v_hat = maximum(v_hat, v)
        \theta_t = \theta_t - \frac{\mu}{\sqrt{v_t} + 1} m | w = w - (mu / (sqrt(v) + 1)) * m
        x = \frac{1}{2}^2                         | x = (1 / 2) ** 2
        u = \nabla_\theta f_t(\theta_t) + \lambda \theta_t | u = g + lam * w
    """,
    "the next step's index": """
        m_{t+1} = μ m_t + g_t       | m = mu * m + g
        θ_{t+1} = θ_t - γ m_{t+1}   | w = w - gamma * m
        u = m_t + β                 |
    """,
    "norms and functions": """
        r = ||θ||_2 / ||g||_1               | r = norm(w) / sum(abs(g))
        s = sign(m_t) ⊙ |g_t|               | s = sign(m) * abs(g)
        q = 2 λ clip(m_t, -1, 1) (1 - β)    | q = 2 * lam * clip(m, -1, 1) * (1 - beta)
        p = max(|g|, -λ) + max(λ g)         | p = maximum(abs(g), -lam) + max(lam * g)
        e = -[m_t + β] g_t                  | e = -(m + beta) * g
        c = 2^{-t} β / β_1^{t+1}            | c = 2 ** (-t) * beta / beta_1 ** (t + 1)
    """,
    "an old value where a line above sets the new one": """
        m_t = β m_{t-1} + g_t   | m = beta * m + g
        u_t = β m_{t-1}         |
        v_t = β m_t             | v = beta * m
        n_t = β Σ_i m_t         |
        u_t = β n_{t-1}         |
    """,
    "what may mean several things": r"""
        g_t = ∇f(θ_{t-1}) + β       |
        u = β g_{t-1}               |
        u = β m_{t-2}               |
        u = β m_t^{(1)}             |
        u = β m^T g                 |
        u' = β m                    |
        u = β Σ_{i=1}^t g_i         |
        u = β function(m)           |
        u = \\mathrm{diag}(v) β     |
        u = x.y β                   |
        u = m / 2 β                 |
        u = β e^{-t}                |
        u = β = λ                   |
        u = ||m||_p β               |
        u = \\frac{β} m^             |
        x^{t} = β x^{t-1}           |
        β m                         |
        u = (β                      |
    """.replace("\\\\", "\\"),
}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES.keys())
def test_a_box_of_a_paper(box: str) -> None:
    translator = Translator([])
    for row in box.strip().split("\n"):
        line, _, expected = row.rpartition("|")
        found = translator.translated(line.strip())
        assert found == (expected.strip() or None), line
        if found is not None:
            assert findings(found, False) == []


def test_declared_names_are_preferred() -> None:
    translator = Translator(["m_t", "eps"])
    assert translator.translated("m_t = β_1 m_t + ε") == "m_t = beta_1 * m_t + eps"


@pytest.mark.parametrize(("opening", "closing"), ["()", "{}", "[]", "||"])
def test_deep_nesting_is_left_alone(opening: str, closing: str) -> None:
    assert Translator([]).translated(f"m = {opening * 100} β g {closing * 100}") is None


def test_a_long_line_is_read() -> None:
    line = "m = " + " + ".join(["β g"] * 400)
    assert Translator([]).translated(line) == "m = " + " + ".join(["beta * g"] * 400)
