import subprocess

subprocess.run(["bash", "reproduce.sh"], cwd="solution", check=True)
