"""What pages are drawn with: forms from the configuration, charts, diagram and mask viewer.

The only room below `pages/` that imports streamlit. It is handed plain values and arrays.
"""
