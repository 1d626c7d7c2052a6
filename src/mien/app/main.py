"""The app's pages and the navigation between them."""

import streamlit as st
from starlette.formparsers import MultiPartParser

from mien.app import photos_page, results_page

# Larger uploads would be written to a temporary file; the largest allowed one stays in memory.
MultiPartParser.spool_max_size = (st.get_option("server.maxUploadSize") + 1) * 2**20
st.set_page_config("mien", layout="wide")
st.navigation(
    [
        st.Page(photos_page.show, title="Read photos", url_path="photos", default=True),
        st.Page(results_page.show, title="Pipeline results", url_path="results"),
    ],
    position="top",
).run()
