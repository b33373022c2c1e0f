"""Open the book that was built last in headless Chromium, from disk, with the network off."""

import shutil

import pytest

from elrcn.workspace import find_workspace
from elrcn_book.offline import problems
from elrcn_book.pages import toc_files

pytestmark = pytest.mark.slow

WORKSPACE = find_workspace(__file__)
HTML = WORKSPACE.root / "_build" / "html"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PAGES = ["index.html", *(f"{name}.html" for name in toc_files(WORKSPACE))]

needs_book = pytest.mark.skipif(not HTML.is_dir(), reason="no book is built: make book")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@needs_book
def test_nothing_comes_from_the_network_and_no_link_is_broken():
    assert problems(HTML) == []


@needs_book
@pytest.mark.parametrize("page", PAGES)
def test_page_opens_offline(browser, page):
    context = browser.new_context(offline=True)
    tab = context.new_page()
    failed, remote, errors = [], [], []
    tab.on("requestfailed", lambda r: failed.append(r.url))
    tab.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else remote.append(r.url),
    )
    tab.on("pageerror", lambda e: errors.append(str(e)))
    tab.goto((HTML / page).as_uri(), wait_until="load")
    if page == "index.html":
        tab.wait_for_url("**/book/index.html")
        tab.wait_for_load_state("load")
    broken = tab.evaluate(
        """async () => {
            const images = [...document.images];
            images.forEach(i => { i.loading = 'eager'; });
            await Promise.all(images.map(i => i.decode().catch(() => {})));
            return images.filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src);
        }"""
    )
    assert broken == []
    # Every formula that Sphinx left for MathJax has become a picture.
    formulas = tab.locator(".math.notranslate").count()
    if formulas:
        tab.wait_for_function(
            f"document.querySelectorAll('mjx-container svg').length >= {formulas}", timeout=30_000
        )
        assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0
    bars = [
        bar for bar in tab.locator(".search-button-field, form.bd-search").all() if bar.is_visible()
    ]
    assert len(bars) == 1
    # No page is wider than the window, on a desk or on a phone.
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width + 1
    assert (failed, remote, errors) == ([], [], [])
    context.close()


@needs_book
def test_book_has_mathematics(browser):
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.goto((HTML / "book" / "executed" / "preprocessing.html").as_uri())
    tab.wait_for_selector("mjx-container svg", timeout=30_000)
    context.close()
