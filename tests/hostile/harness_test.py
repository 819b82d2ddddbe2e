"""The users that these tests play are what they say."""

import hostile


class UsersTest(hostile.HostileCase):
    def test_a_user_has_its_id_its_group_and_nothing_else(self):
        seen = hostile.run_as(hostile.ATTACKER, ["id"]).stdout
        self.assertEqual(seen.strip(), "uid={0} gid={0} groups={0}".format(hostile.ATTACKER))
