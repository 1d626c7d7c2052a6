"""The app in the browser: photos read by a model, and what the pipeline left in its files.

`server` is what `streamlit run` starts. A page is a function; what needs no browser lies in
`sheets`.
"""
