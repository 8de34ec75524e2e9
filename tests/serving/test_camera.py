"""The page answers what the camera sees; the browser has one that shows a drawing."""

from browser import check_live_camera
from discern.serving.app import create_app
from discern.serving.guard import Access
from served import load_on_cpu, serving


def test_the_camera_is_answered_live_and_a_frame_can_be_kept(browser, run):
    with serving(create_app({"colours": run}, load_on_cpu, access=Access({"127.0.0.1"}))) as address:
        page = browser.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        page.wait_for_function("() => document.title === 'colours · discern'")
        check_live_camera(page)
        page.close()
    assert problems == []
