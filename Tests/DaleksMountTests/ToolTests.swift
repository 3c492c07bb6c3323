import DaleksSystem
import DaleksTestSupport
import Testing

/// What people do in a folder all day. Each script ends with an error at the first thing that is not as on a disk.
@Suite(.serialized) struct ToolTests {
    private func run(_ text: String) throws {
        let demo = try MountedDemo()
        defer { demo.stop() }
        // A test that fails says nothing by itself, so what failed is named, with what its words had become.
        let strict = "set -e -o pipefail\ntrap 'echo \"line $LINENO failed ($?): $BASH_COMMAND\"' ERR\n"
        let result = try demo.script(strict + text, timeout: .seconds(120))
        #expect(result.isSuccess, "\(result.output)\n\(demo.said)")
    }

    @Test(.needs(.fuse), .needs(.program("git", package: "git")))
    func `git keeps a repository in it`() throws {
        try run(
            """
            export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
            git init -q work; cd work
            for i in $(seq 60); do echo "line $i" > file-$i; done
            git add .; git commit -q -m first; test -z "$(git status --porcelain)"
            echo more >> file-7; git mv file-1 moved; git rm -q file-2; git commit -q -a -m second
            git checkout -q -b side HEAD~1; test "$(cat file-7)" = 'line 7'; git checkout -q -
            git merge -q side; git gc -q; git fsck --strict; git stash list
            cd ..; git clone -q work copy; diff -r --exclude .git work copy
            """
        )
    }

    @Test(.needs(.fuse), .needs(.program("rsync", package: "rsync")))
    func `copies are the same by tar, cp and rsync`() throws {
        try run(
            """
            mkdir -p from/a/b; echo one > from/a/one; chmod 741 from/a/one; ln from/a/one from/a/hard
            ln -s ../one from/a/b/link; mkfifo from/fifo; head -c 3000000 /dev/urandom > from/large
            truncate -s 5M from/sparse; printf x >> from/sparse; setfattr -n user.note -v kept from/a/one
            # Old ones: within one second rsync takes the times of folders and links for the same.
            find from -depth -exec touch -h -d '2003-03-03 03:03:03.333333333' {} +
            look() { (cd "$1"; find . -printf '%P %y %m %s %n %T@ %l\\n' | sort; getfattr -R -d -m user . ); }
            cp -a from copied; look from > ~/from; look copied | diff ~/from -
            tar --xattrs -cf archive.tar from; mkdir out; tar --xattrs -xpf archive.tar -C out
            look out/from | diff ~/from -
            rsync -aHX from/ synced/; look synced | diff ~/from -
            rsync -aHXi --delete from/ synced/ > ~/again; diff /dev/null ~/again
            mv from/a copied/moved; test -e copied/moved/one -a ! -e from/a
            du -s . > /dev/null; find . -name one | grep -q moved; rm -rf from copied out synced archive.tar
            ls -A | diff /dev/null -
            """
        )
    }

    @Test(.needs(.fuse), .needs(.program("sqlite3", package: "sqlite3")))
    func `databases work in both kinds of journal`() throws {
        try run(
            """
            for mode in delete wal; do
                sqlite3 $mode.db "PRAGMA journal_mode=$mode; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);"
                for i in 1 2 3 4 5; do
                    sqlite3 $mode.db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 400)
                        INSERT INTO t (b) SELECT hex(randomblob(50)) FROM n; DELETE FROM t WHERE a % 3 = 0;" &
                    wait
                done
                sqlite3 $mode.db "VACUUM; PRAGMA integrity_check;" | grep -qx ok
            done
            """
        )
    }

    @Test(.needs(.fuse), .needs(.program("make", package: "make")), .needs(.program("gcc", package: "gcc")))
    func `programs are built and run in it`() throws {
        try run(
            """
            printf 'int answer(void) { return 42; }\\n' > answer.c
            printf 'int answer(void);\\nint main(void) { return answer() - 42; }\\n' > main.c
            printf 'all: prog\\nprog: main.o answer.o\\n\\tgcc -o $@ $^\\n' > Makefile
            make -s; ./prog
            test "$(make -s -q; echo $?)" = 0
            sleep 0.02; echo >> answer.c; test "$(make -s -q; echo $?)" = 1; make -s; ./prog
            """
        )
    }

    @Test(.needs(.fuse)) func `editors save by rename and backup`() throws {
        try run(
            """
            echo old > note; inode=$(stat -c %i note)
            echo new > .note.swp; sync .note.swp; mv .note.swp note
            test "$(cat note)" = new; test "$(stat -c %i note)" != $inode
            cp -p note note~; echo newer > note.tmp; mv -T note.tmp note; test "$(cat note~) $(cat note)" = 'new newer'
            sed -i s/newer/newest/ note; test "$(cat note)" = newest
            mkdir dir; mv note dir/; mv dir other; test "$(cat other/note)" = newest
            flock other/note -c 'flock -n other/note true' && exit 1; flock -n other/note true
            """
        )
    }

    @Test(.needs(.fuse), .needs(.program("inotifywait", package: "inotify-tools")))
    func `watchers hear of what happens here`() throws {
        try run(
            """
            mkdir watched; log=$(mktemp)
            inotifywait -q -m -e create,delete,moved_to,close_write --format '%e %f' watched > $log & watcher=$!
            for i in $(seq 100); do test -e /proc/$watcher && sleep 0.05; test $i -ge 10 && break; done
            echo x > watched/a; mv watched/a watched/b; rm watched/b
            for i in $(seq 100); do grep -q 'DELETE b' $log && break; sleep 0.05; done
            kill $watcher; cat $log
            for event in 'CREATE a' 'CLOSE_WRITE,CLOSE a' 'MOVED_TO b' 'DELETE b'; do grep -q "$event" $log; done
            rm $log
            """
        )
    }
}
