"""The documentation's site: `make docs` builds it into docs/_build."""

project = "mien"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "mien"
exclude_patterns = ["_build"]
# Links to headings, as GitHub makes them.
myst_heading_anchors = 3
# Nothing is fetched when a page is read.
html_theme_options = {"source_view_link": None}
html_show_sphinx = False
html_copy_source = False
