"""The paper at a glance: its list is complete and everything it names exists."""

import pytest

from elrcn.errors import ElrcnError
from elrcn.experiments import REGISTRY
from elrcn.workspace import find_workspace
from elrcn_book import glance
from elrcn_book.glance import reference_link
from elrcn_book.pages import book_pages

WORKSPACE = find_workspace(__file__)
ITEMS = glance.load_items(WORKSPACE.data_manifest / "paper_items.csv")
# Pages that are no result of the paper, and the glance itself.
WITHOUT_ITEM = {"introduction", "data", "glance", "clips"}


def names(column):
    return {name for cell in ITEMS[column] for name in cell.split()}


@pytest.mark.parametrize(("kind", "count"), [("table", 3), ("figure", 9), ("equation", 5)])
def test_every_number_of_the_paper_occurs_once(kind, count):
    ids = ITEMS.loc[ITEMS["kind"] == kind, "id"]
    assert sorted(ids) == [f"{kind}-{k + 1}" for k in range(count)]


def test_tables_figures_and_equations_have_a_home():
    numbered = ITEMS["kind"].isin(("table", "figure", "equation"))
    assert (ITEMS.loc[numbered, "home"] != "").all()


@pytest.mark.parametrize("home", sorted(set(ITEMS["home"]) - {""}))
def test_home_exists(home):
    assert glance.find_home(home) is not None


@pytest.mark.parametrize("page", sorted(names("page")))
def test_page_exists(page):
    assert (WORKSPACE.notebooks / f"{page}.ipynb").is_file()


def test_every_page_of_the_book_has_an_item():
    assert set(book_pages(WORKSPACE)) - names("page") <= WITHOUT_ITEM


@pytest.mark.parametrize("name", sorted(names("experiment")))
def test_experiment_is_declared(name):
    assert name in REGISTRY


def test_every_declared_experiment_has_an_item():
    assert set(REGISTRY) <= names("experiment")


@pytest.mark.parametrize("name", sorted(names("experiment") & set(REGISTRY)))
def test_the_registry_shows_it_on_a_page_of_the_item(name):
    items = ITEMS[[name in cell.split() for cell in ITEMS["experiment"]]]
    assert any(REGISTRY[name].page in cell.split() for cell in items["page"])


def test_figures_of_the_registry_are_repeated_by_their_experiment():
    items = ITEMS.set_index("id")["experiment"]
    for experiment in REGISTRY.values():
        for figure in experiment.figures:
            assert items[figure.paper.lower().replace(" ", "-")] == experiment.name


def test_what_ran_on_synthetic_data_does_not_claim_more():
    """An item that an experiment repeats is final only if no data could change it."""
    run = ITEMS["experiment"] != ""
    assert set(ITEMS.loc[run, "status"]) <= {"synthetic", "open"}


def test_bad_lists_are_refused(tmp_path):
    path = tmp_path / "items.csv"
    for change, message in (
        ({"id": "table-1"}, "occurs twice"),
        ({"kind": "poem"}, "unknown kind"),
        ({"status": "proved"}, "unknown status"),
        ({"reason": ""}, "empty cell"),
    ):
        ITEMS.head(3).assign(**change).to_csv(path, index=False)
        with pytest.raises(ElrcnError, match=message):
            glance.load_items(path)
    ITEMS.drop(columns="home").to_csv(path, index=False)
    with pytest.raises(ElrcnError, match="home"):
        glance.load_items(path)
    with pytest.raises(ElrcnError, match="missing"):
        glance.load_items(tmp_path / "none.csv")


def test_unknown_names_are_refused():
    for home in ("elrcn.nothing", "elrcn.preprocess.nothing.here", "elrcn.preprocess.flow.nothing"):
        with pytest.raises(ElrcnError, match="nothing"):
            glance.find_home(home)


def test_titles_and_commands():
    assert [glance.item_title(i) for i in ("table-3", "equation-4", "claim-flow")] == [
        "Table III",
        "Equation 4",
        "",
    ]
    assert glance.command("table2 audit", "table2 table3") == "elrcn run table2 table3"
    assert glance.command("preprocessing", "") == "elrcn notebooks preprocessing"


def test_links_lead_to_pages_and_to_the_reference():
    api = WORKSPACE.root / "book" / "api"
    assert glance.page_links("table2 own_copy") == (
        '<a href="table2.html">table2</a>, <a href="own_copy.html">own copy</a>'
    )
    link = glance.home_link("elrcn.preprocess.flow.tvl1_flow", api)
    assert link.startswith('<a href="../api/preprocess.html#elrcn.preprocess.flow.tvl1_flow">')
    assert "elrcn.<wbr>preprocess" in link and glance.home_link("") == ""


def test_reference_link_only_to_what_the_reference_has(tmp_path):
    api = tmp_path / "api"
    api.mkdir()
    (api / "x.md").write_text("# X\n\n% modules elrcn.preprocess\n\n% modules elrcn.explain\n")
    assert reference_link("elrcn.preprocess.tim", api) == (
        "../api/x.html#module-elrcn.preprocess.tim"
    )
    assert reference_link("elrcn.explain.grad_cam", api) == "../api/x.html#elrcn.explain.grad_cam"
    assert reference_link("elrcn.preprocess", api) == ""  # a package
    assert reference_link("elrcn.evaluation.metrics.war", api) == ""  # on no page
    assert reference_link("elrcn.explain.SpatialNetwork", api) == ""  # defined elsewhere
