"""The browser app: classify photos with a model, and show the pipeline's results.

`streamlit run` starts `server`. A page is a function; code that needs no browser is in `sheets`.
"""
