# Copyright (C) rs-gateway contributors
#
# Files to be written as one: what differs is shown, written, and put back as
# it was if the whole does not come to its end.  Whoever is killed in between
# leaves whole files, and the next run finds what is still missing.

import difflib
import grp
import os
import pwd
import secrets
import stat

from .errors import ToolError

SECRET_BYTES = 32


class _File:
    """One path: TEXT or the target of a link; None: was not there."""

    def __init__(self, path, data, link=False, mode=0o644, owner="root",
                 group="root", hidden=False):
        self.path = path
        self.data = data
        self.link = link
        self.mode = mode
        self.owner = owner
        self.group = group
        self.hidden = hidden

    @classmethod
    def now(cls, path):
        try:
            st = os.lstat(path)

        except FileNotFoundError:
            return cls(path, None)

        owner, group = _name(pwd.getpwuid, st.st_uid), \
            _name(grp.getgrgid, st.st_gid)

        if stat.S_ISLNK(st.st_mode):
            return cls(path, os.readlink(path), True, 0o777, owner, group)

        if not stat.S_ISREG(st.st_mode):
            raise ToolError(f"{path} is neither a file nor a link")

        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            return cls(path, f.read(), False, stat.S_IMODE(st.st_mode), owner,
                       group)

    def same(self, other):
        mine = (self.data, self.link, self.owner, self.group)
        its = (other.data, other.link, other.owner, other.group)

        return mine == its and (self.link or self.mode == other.mode)

    def write(self):
        new = f"{self.path}.rs-new"

        if os.path.lexists(new):
            os.unlink(new)

        if self.data is None:
            if os.path.lexists(self.path):
                os.unlink(self.path)
            return

        uid, gid = _ids(self.owner, self.group)

        if self.link:
            os.symlink(self.data, new)
            os.lchown(new, uid, gid)

        else:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

            with os.fdopen(fd, "w", encoding="utf-8",
                           errors="surrogateescape") as f:
                f.write(self.data)
                f.flush()
                os.fchown(f.fileno(), uid, gid)
                os.fchmod(f.fileno(), self.mode)
                os.fsync(f.fileno())

        os.rename(new, self.path)


def _name(look, number):
    try:
        return look(number)[0]

    except KeyError:
        return str(number)


def _ids(owner, group):
    try:
        uid = int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
        gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid

    except KeyError:
        raise ToolError(f"there is no user {owner} or no group {group}: is "
                        "the package installed that makes it?") from None

    return uid, gid


class Changes:
    def __init__(self):
        self._files = {}
        self._folders = {}
        self._undo = []

    # ---- what is wanted

    def folder(self, path, mode=0o755, owner="root", group="root"):
        """A folder that is made if it is not there; never changed."""

        self._folders[path] = (mode, owner, group)

    def file(self, path, text, mode=0o644, owner="root", group="root",
             hidden=False):
        """HIDDEN: a secret, or nothing to read; the diff does not show it."""

        self._files[path] = _File(path, text, False, mode, owner, group,
                                  hidden)

    def keep(self, path, own):
        """A copy of a file that is there, unless it begins as OWN ones do."""

        now = _File.now(path)

        if now.data is not None and not now.link \
                and not now.data.startswith(own):
            self.file(f"{path}.before-rs-gateway", now.data, now.mode,
                      now.owner, now.group, hidden=True)

    def link(self, path, target):
        self._files[path] = _File(path, target, True)

    def secret(self, path, mode=0o600, owner="root", group="root"):
        """The secret in a file; a new one where there is none."""

        now = _File.now(path)
        text = now.data if now.data and now.data.strip() \
            else secrets.token_hex(SECRET_BYTES) + "\n"

        self.file(path, text, mode, owner, group, hidden=True)

        return text.splitlines()[0].strip()

    def text(self, path):
        """What a file is going to have."""

        return self._files[path].data

    # ---- what differs

    def pending(self):
        return [f for f in self._files.values()
                if not f.same(_File.now(f.path))]

    def diff(self):
        """Lines for people; of what is secret that it changes, and no more."""

        for f in self.pending():
            now = _File.now(f.path)
            what = "new" if now.data is None else "changed"

            if f.link:
                yield f"{f.path} -> {f.data}  ({what})"

            elif f.hidden:
                yield f"{f.path}  ({what}; not shown, {f.mode:04o} " \
                      f"{f.owner}:{f.group})"

            elif f.data == now.data:
                yield f"{f.path}  ({now.mode:04o} {now.owner}:{now.group} " \
                      f"becomes {f.mode:04o} {f.owner}:{f.group})"

            else:
                yield from _unified(f, now)

    # ---- doing it

    def write(self):
        """Writes what differs; put_back() undoes exactly that."""

        for path, (mode, owner, group) in self._folders.items():
            self._make(path, mode, owner, group)

        for f in self.pending():
            self._make(os.path.dirname(f.path), 0o755, "root", "root")
            self._undo.append(_File.now(f.path))
            f.write()

    def _make(self, path, mode, owner, group):
        if os.path.isdir(path):
            return

        self._make(os.path.dirname(path), 0o755, "root", "root")
        os.mkdir(path, 0o700)
        os.chown(path, *_ids(owner, group))
        os.chmod(path, mode)
        self._undo.append(path)

    def put_back(self):
        while self._undo:
            was = self._undo.pop()

            if isinstance(was, _File):
                was.write()

            else:
                try:
                    os.rmdir(was)

                except OSError:         # somebody else put something there
                    pass


def _unified(f, now):
    before = now.data.splitlines() if now.data is not None else []

    if now.link:
        before = [f"(a link to {now.data})"]

    for line in difflib.unified_diff(
            before, f.data.splitlines(),
            f.path if now.data is not None else "/dev/null", f.path, n=2,
            lineterm=""):
        yield line
