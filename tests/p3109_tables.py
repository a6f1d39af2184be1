"""What the value tables of IEEE P3109 say, reduced: facts of the working group's publication.

Source: the tables "Value Tables/Hexadecimal" that the working group publishes at
github.com/P3109/Public with interim report 4.0 (unapproved draft, 2026). A table of a format lists
the value of every code; here stands the beginning of the SHA-256 of its values, in code order, as
reduced fractions (``nan``, ``inf``, ``-inf``) with a space between.
"""

DIGESTS = """
3 1 80c29d60bb 0473968261 731d61d228 f4bc386788
3 2 80c29d60bb 0f218c98bd c427cd98c4 6a4ada592a
3 3 - - 776c96cc1c 20e9a9969e
4 1 de8ffff4db 35bf26330c e44b592067 32296f0b87
4 2 24a3391a69 7ea49de991 d6b9267d30 0e85954721
4 3 16a975a009 dd0990fb91 d9065cd156 a6aefaad8f
4 4 - - 17b2e92ed2 5a5eeead32
5 1 a937cfa8de 19a936ecca f25fcd5e77 16e76cbe55
5 2 0041d85c24 75048e4b38 2cc37071ea bdb6413539
5 3 c9d22e88d7 5c3ef17cd8 90feea42c2 3ffbd0cf10
5 4 3c802b4f41 104b87d9b0 332e8e08d7 cdea85b6c6
5 5 - - 9d48a1278b e3d10d96ef
6 1 52cb985ae0 6fea7bb5bf 0c8678df33 dc75432cb7
6 2 13f3759a9c d60d4c9088 b87a37c209 5278ffbb84
6 3 835e423383 556a1ec97a 4969d683f1 d1533fa9dd
6 4 c37d3f5d2d 74ed5a6a0d 1fed02864a 01394d7694
6 5 87fbe5ab87 f2fbf13651 e1ff7a295a c25027a393
6 6 - - 3bba33143b cdd4547924
7 1 75ab97f915 030bc7e606 5aea1d4ca5 8265f35397
7 2 d5a0ae5774 c8bf17e03d bcfaddc0f5 9a844ee65b
7 3 b27974bad5 4c47d0485f 4d14f3d80e 2f9b5f1d43
7 4 5df73accf0 598a78956f f636482331 3592b945f4
7 5 0d00d475d4 04c40a1859 c0ff29a125 06bf856181
7 6 86a49397db b0c0f3d25d d8500135d2 95ca6ede5c
7 7 - - 494343b4df 8fc690b9c0
8 1 d73b785f85 5369444f66 3ecbde81cd a78ddeb228
8 2 e6762e0336 8c70d6158e 1d3177fad5 c944cfcea3
8 3 804ba2a3e5 271d84114e bfaf500b95 4957d08b47
8 4 95d845925c 87577d9d6d 00ec64f0df e41b0727a6
8 5 089e992999 b9eadedbf3 35716c4068 cdd9b2a4f3
8 6 bdfaa4cc18 40f8bf4f34 66a453e076 961563a088
8 7 08231991ae fec3cd590e 7202abd0a1 25c4c7a774
8 8 - - 7fb0f9a3eb 8e207dfbd0
"""
"""Lines of K, P and the digests of ``se``, ``sf``, ``ue`` and ``uf``."""

WIDE_DIGESTS = {
    9: (34, "8b8398719fb855b1"),
    10: (38, "c75cd8a076554c88"),
    11: (42, "fa5660ab2061820c"),
    12: (46, "10e7a774a6b029a6"),
}
"""K → number of tables and the digest of all of them, each after its name and a space.

In the order of P, then se, sf, ue, uf.
"""

TABLES = {
    "binary3p1se": "0 0.5 1 inf nan -0.5 -1 -inf",
    "binary3p1sf": "0 0.5 1 2 nan -0.5 -1 -2",
    "binary3p2sf": "0 0.5 1 1.5 nan -0.5 -1 -1.5",
    "binary3p1ue": "0 0.125 0.25 0.5 1 2 inf nan",
    "binary3p2ue": "0 0.25 0.5 0.75 1 1.5 inf nan",
    "binary3p2uf": "0 0.25 0.5 0.75 1 1.5 2 nan",
    "binary3p3ue": "0 0.25 0.5 0.75 1 1.25 inf nan",
    "binary3p3uf": "0 0.25 0.5 0.75 1 1.25 1.5 nan",
    "binary4p2se": "0 0.25 0.5 0.75 1 1.5 2 inf nan -0.25 -0.5 -0.75 -1 -1.5 -2 -inf",
    "binary4p1se": "0 0.125 0.25 0.5 1 2 4 inf nan -0.125 -0.25 -0.5 -1 -2 -4 -inf",
    "binary4p2ue": "0 0.0625 0.125 0.1875 0.25 0.375 0.5 0.75 1 1.5 2 3 4 6 inf nan",
    "binary4p3uf": "0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1 1.25 1.5 1.75 2 2.5 3 nan",
}
"""Some of the tables themselves."""
