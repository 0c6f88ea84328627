# SPDX-License-Identifier: MPL-2.0
"""A real guest over the API. serve.py create KEY prints the uid; serve.py delete UID."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.environ["FL_TOP"], "t/fl-serve"))
from client import CREATED, LAYOUT, Client, main, spec  # noqa: E402


def create(key):
    wanted = spec("guest", "api")
    wanted.initrd.image = f"oci:{LAYOUT}:kernel"
    wanted.initrd.filename = "boot/initrd.img"
    wanted.root_volume.size_in_mb = 4096
    wanted.kernel.cmdline["quiet"] = ""
    wanted.interfaces.add(device_id="eth1", type=1)
    user_data = f"#cloud-config\nusers:\n- name: root\n  ssh_authorized_keys: [{open(key).read().strip()}]\n"
    wanted.metadata["user-data"] = base64.b64encode(user_data.encode()).decode()
    client = Client()
    made = client.create(wanted)
    vm = client.wait(made.spec.uid, CREATED, 120)
    assert vm.status.network_interfaces["eth1"].mac_address, vm.status
    print(made.spec.uid)


def delete(uid):
    client = Client()
    client.delete(uid)
    client.wait_gone(uid, 30)


if __name__ == "__main__":
    main(globals())
