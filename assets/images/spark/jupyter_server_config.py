"""JupyterLab's settings. The token is read from the secret's file, so it shows in no argument and no variable."""

import os
from pathlib import Path

c = get_config()  # noqa: F821 (Jupyter hands it in)
root = os.environ.get("ONEOFF_ROOT", "")
c.IdentityProvider.token = Path(f"{root}/run/secrets/notebook-token").read_text().strip()
c.PasswordIdentityProvider.allow_password_change = False
c.ServerApp.ip = os.environ.get("ONEOFF_NOTEBOOK_ADDRESS") or os.environ["SPARK_LOCAL_IP"]
c.ServerApp.port = int(os.environ.get("ONEOFF_NOTEBOOK_HTTP", "8888"))
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.quit_button = False
c.ServerApp.root_dir = os.environ["ONEOFF_NOTEBOOKS"]
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
