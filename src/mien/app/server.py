"""What `make app` starts: the pages of main.py, and the live page where it is built."""

from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from mien.app.photos_page import LIVE

routes: list[BaseRoute] = []
if LIVE.is_dir():
    routes.append(Mount("/live", StaticFiles(directory=LIVE, html=True)))
app = st.App(Path(__file__).with_name("main.py"), routes=routes)
