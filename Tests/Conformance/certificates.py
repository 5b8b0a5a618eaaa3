"""Real certificates for one test, made by the `openssl` program."""

import os
import subprocess

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1"


class Certificates:
    """Files in a folder: an authority, and certificates it vouches for."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = self.make_authority("authority")
        self.other_authority = self.make_authority("other")

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def request(self, name, *words):
        self.openssl(
            "req", *words, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.path(f"{name}.key"), "-subj", f"/CN={name}")

    def make_authority(self, name):
        """Makes an authority; the file of its certificate."""
        self.request(
            name, "-x509", "-days", "30", "-out", self.path(f"{name}.pem"), "-addext",
            "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
        return self.path(f"{name}.pem")

    def pair(self, name, names=NAMES, days=30, by="authority"):
        """Makes a certificate and its key; their files."""
        self.request(name, "-new", "-out", self.path(f"{name}.request"))
        with open(self.path("extensions"), "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={names}\n")
        self.openssl(
            "x509", "-req", "-in", self.path(f"{name}.request"), "-CA", self.path(f"{by}.pem"),
            "-CAkey", self.path(f"{by}.key"), "-CAcreateserial", "-days", str(days), "-extfile",
            self.path("extensions"), "-out", self.path(f"{name}.pem"))
        return self.path(f"{name}.pem"), self.path(f"{name}.key")
