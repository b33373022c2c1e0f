"""The paper's comparisons: of methods that exist, judged by the rule of all comparisons."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from elrcn.config import PROFILES
from elrcn.experiments.registry import REGISTRY
from elrcn_book import shape
from elrcn_book.shape import SHAPE, direction, shape_figure, shape_summary, shape_table


def rows_of(experiment, share):
    """Eight subjects of ten clips, `share` of each answered right, in two folds."""
    classes = REGISTRY[experiment].task.classes
    true = np.resize(classes, 80)
    subject = np.arange(80) // 10
    # The poorer method is a clip better about one subject and a clip worse about another.
    lean = ((subject == 0).astype(int) - (subject == 1)) * (share < 0.5)
    wrong = np.arange(80) % 10 >= 10 * share + lean
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": np.where(np.arange(80) < 40, "one", "two"),
            "clip_id": [f"c{i}" for i in range(80)],
            "subject": [f"s{i // 10}" for i in range(80)],
            "true": true,
            "predicted": np.where(wrong, np.roll(true, 1), true),
        }
    )
    return rows.assign(**{f"p_{c}": 0.2 for c in classes})


@pytest.mark.parametrize("comparison", SHAPE, ids=lambda c: c.short)
def test_comparisons_name_methods_of_the_registry(comparison):
    names = {m.name for m in REGISTRY[comparison.experiment].methods}
    assert {comparison.first, comparison.second} <= names
    assert comparison.sign in (1, -1) and comparison.first != comparison.second
    first, second = comparison.labels(PROFILES["demo"])
    assert first != second
    assert comparison.source == REGISTRY[comparison.experiment].paper


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "sign", "verdict"),
    [
        (0.1, 0.2, 0.01, 1, shape.SAME),
        (0.1, 0.2, 0.01, -1, shape.OPPOSITE),
        (-0.2, -0.1, 0.01, 1, shape.OPPOSITE),
        (-0.2, -0.1, 0.01, -1, shape.SAME),
        (0.1, 0.2, 0.06, 1, shape.APART_NOT),
        (-0.1, 0.1, 0.01, 1, shape.APART_NOT),
        (0.0, 0.1, 0.01, 1, shape.APART_NOT),
    ],
)
def test_direction(low, high, p_holm, sign, verdict):
    row = {"difference": 0.1, "low": low, "high": high, "p_holm": p_holm, "paper": sign}
    assert direction(pd.Series(row)) == verdict
    assert direction(pd.Series(row | {"difference": np.nan})) == shape.MISSING


def test_table_words_and_picture():
    good, poor = rows_of("table1", 0.9), rows_of("table1", 0.3)
    cross = {"elrcn_se": rows_of("table2", 0.3), "elrcn_te": rows_of("table2", 0.9)}
    same = rows_of("table3", 0.5)
    results = {
        "table1": {"elrcn_te": good, "elrcn_se": poor},
        "table2": cross,
        "table3": {"elrcn_se": same, "elrcn_te": same},
        "figure6": {"lstm_3000": good},
    }
    table = shape_table(results, draws=100).set_index("source")
    verdicts = table["verdict"]
    assert verdicts["Table I"] == shape.SAME
    assert verdicts["Table II"] == shape.OPPOSITE
    assert verdicts["Table III"] == shape.APART_NOT
    assert verdicts["Figure 6"] == verdicts["Figure 8"] == shape.MISSING
    assert table.loc["Table I", "difference"] == pytest.approx(0.6, abs=0.05)
    # Three tests were made, not eight: Holm counts those.
    assert table.loc["Table I", "p_holm"] == pytest.approx(3 * table.loc["Table I", "p_value"])
    table = table.reset_index()
    text = shape_summary(table)
    assert text.startswith("Of 3 comparisons, 1 are significant in the paper's direction and 1 in")
    fig = shape_figure(table, "Shape")
    ax = fig.axes[0]
    assert len(ax.get_yticks()) == 3
    found = {line.get_label(): line.get_xdata()[0] for line in ax.lines[1:]}
    assert found[shape.SAME] > 0 > found[shape.OPPOSITE] and found[shape.APART_NOT] == 0
    plt.close(fig)
