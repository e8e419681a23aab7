"""Opens the catalogue in a real Chromium, uses it, and prints what a reader sees, as JSON.

Runs in an environment of its own (requirements.txt). Usage: browse.py CHROMIUM SITE IMAGE PYTHON SCREENSHOTS
"""

import json
import sys
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

chromium, site, image, python, screenshots = (
    sys.argv[1],
    Path(sys.argv[2]).resolve(),
    sys.argv[3],
    sys.argv[4],
    Path(sys.argv[5]),
)
INDEX = (site / "index.html").as_uri()
IMAGE = (site / "images" / f"{image}.html").as_uri()
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}

requests: list[str] = []
complaints: list[str] = []


def watched(page: Page) -> Page:
    """Record what the page loads and what the browser reports as errors."""
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def shown(page: Page) -> list[str]:
    names: list[str] = page.locator("#images tbody tr:visible").evaluate_all("rows => rows.map(row => row.id)")
    return names


def colours(page: Page) -> list[Any]:
    """Return the colours of the page and of its text."""
    both: list[Any] = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color] }"
    )
    return both


def barriers(context: Any, url: str) -> list[str]:
    """Return what axe (https://github.com/dequelabs/axe-core) finds: problems of contrast, names and structure.

    The page is not recorded, because axe loads files itself.
    """
    page = context.new_page()
    page.goto(url)
    return [
        f"{problem['id']}: {problem['nodes'][0]['html'][:200]}" for problem in Axe().run(page).response["violations"]
    ]


def look(browser: Any) -> dict[str, Any]:
    """Return colours, accessibility problems and overflow, for both colour schemes at both widths."""
    seen: dict[str, Any] = {}
    for size, viewport in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport=viewport, color_scheme=scheme)
            page = watched(context.new_page())
            for name, url in {"index": INDEX, "image": IMAGE, "layers": (site / "layers.html").as_uri()}.items():
                page.goto(url)
                page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=True)
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                seen[f"{name} {size} {scheme}"] = {
                    "colours": colours(page),
                    "wider": wider,
                    "barriers": barriers(context, url),
                }
            context.close()
    return seen


def use(browser: Any) -> dict[str, Any]:
    """Search, filter, sort, open an image, and go back; return what was shown."""
    page = watched(browser.new_page())
    page.goto(INDEX)
    result: dict[str, Any] = {"all": shown(page)}
    page.get_by_label("Search").fill(image)
    result["by name"] = shown(page)
    page.get_by_label("Search").fill("flask 3")
    result["by package"] = shown(page)
    result["hits"] = page.locator(f"[id='{image}'] .hits").inner_text()
    page.get_by_label("Search").fill("no such thing")
    result["nothing"] = [shown(page), page.locator("#none").inner_text()]
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("document.querySelectorAll('#images tbody tr:not([hidden])').length > 0")
    result["cleared"] = shown(page)
    page.get_by_label("Framework").select_option("sklearn")
    page.get_by_label("Python").select_option(python)
    result["filtered"] = shown(page)
    result["count"] = page.locator("#count").inner_text()
    page.get_by_label("Framework").select_option("minimal")
    page.locator(f"[id='{image}'] a.title").click()
    page.wait_for_url(IMAGE)
    result["image"] = page.locator("main").inner_text()
    page.get_by_label("Find a package or a licence").fill("gunicorn")
    result["package"] = page.locator("#packages tbody tr:visible th").all_inner_texts()
    page.get_by_label("Find a package or a licence").fill("libc6")
    result["system package"] = page.locator("#packages tbody tr:visible th").all_inner_texts()
    page.go_back()
    page.wait_for_url(f"{INDEX}#*")
    result["back"] = [shown(page), page.get_by_label("Framework").input_value()]
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("document.querySelector('#count').textContent.indexOf(' of ') < 0")
    page.get_by_role("button", name="Size").click()
    page.get_by_role("button", name="Size").click()
    result["biggest first"] = shown(page)
    return result


def without_scripts(browser: Any) -> dict[str, Any]:
    """Return what a reader sees whose browser runs no scripts."""
    context = browser.new_context(java_script_enabled=False)
    page = watched(context.new_page())
    page.goto(INDEX)
    return {"table": page.locator("#images").inner_text(), "filter": page.locator("#filter").is_visible()}


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    screenshots.mkdir(parents=True, exist_ok=True)
    result = {"used": use(browser), "looks": look(browser), "without scripts": without_scripts(browser)}
    browser.close()
print(json.dumps(result | {"requests": requests, "complaints": complaints}))
