"""`suli bench report`: the pictures of a run's records, and the page that shows them."""
