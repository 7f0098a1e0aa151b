%%% Ordinary pubsub behaves exactly as without the plugin: the same conversations with a stock
%%% server and with one that has it, compared stanza by stanza.
-module(stock_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    nodes_are_made_and_named/1,
    nodes_are_configured/1,
    items_are_published_and_read/1,
    items_are_paged/1,
    subscriptions/1,
    affiliations_and_access/1,
    purge_and_delete/1,
    the_service_itself/1
]).

-import(twitter_script, [pubsub/3, owner/3, info/2, items/2, to/4, send/2, login/3, logout/1, no/1]).
-import(twitter_stock, [
    create/1, delete/1, get_items/1, publish/2, retract/2, configure/1, configure/2, field/2, subscribe/2, compare/3
]).

-define(SERVICE, <<"pubsub.localhost">>).

all() ->
    [
        nodes_are_made_and_named,
        nodes_are_configured,
        items_are_published_and_read,
        items_are_paged,
        subscriptions,
        affiliations_and_access,
        purge_and_delete,
        the_service_itself
    ].

init_per_suite(Config) ->
    twitter_stock:start(Config, "stock").

end_per_suite(Config) ->
    twitter_stock:stop(Config).

init_per_testcase(_Case, Config) ->
    ok = twitter_stock:enter(Config),
    Config.

end_per_testcase(_Case, Config) ->
    twitter_stock:leave(Config).

nodes_are_made_and_named(Config) ->
    Names = [
        <<"news">>, <<"twitter">>, <<"/twitters">>, <<"/Twitter">>, <<"twitter/MyStream">>,
        <<"//twitter">>, <<"/">>, <<"a!b">>, <<"/home/localhost/alice/blog">>, <<"☃"/utf8>>,
        <<"/home/localhost/alice">>
    ],
    compare(Config, [],
        [pubsub(alice, set, create(Name)) || Name <- Names] ++
            [
                no(pubsub(alice, set, create(<<"news">>))),
                no(pubsub(bob, set, create(<<"news">>))),
                %% A node whose name the service chooses.
                pubsub(alice, set, <<"<create/>">>),
                pubsub(alice, set, [create(<<"shy">>), configure([{access_model, whitelist}])]),
                items(bob, {?SERVICE, <<>>}),
                info(bob, {?SERVICE, <<"news">>}),
                info(bob, {?SERVICE, <<"shy">>}),
                items(bob, {?SERVICE, <<"/home/localhost/alice">>}),
                items(bob, {?SERVICE, <<"twitter/MyStream">>}),
                no(info(bob, {?SERVICE, <<"nothing">>})),
                no(items(bob, {?SERVICE, <<"nothing">>})),
                pubsub(alice, set, [publish(<<"a!b">>, <<"c!d">>)]),
                items(bob, {?SERVICE, <<"a!b">>}),
                pubsub(bob, get, get_items(<<"a!b">>))
            ] ++
            [owner(alice, set, delete(Name)) || Name <- Names]
    ).

nodes_are_configured(Config) ->
    Node = <<"configured">>,
    compare(Config, [bob], [
        owner(alice, get, <<"<default/>">>),
        pubsub(alice, set, create(Node)),
        owner(alice, get, ["<configure node='", Node, "'/>"]),
        no(owner(bob, get, ["<configure node='", Node, "'/>"])),
        pubsub(bob, set, subscribe(Node, bob)),
        owner(alice, set, configure(Node, [{title, <<"Title">>}, {notify_config, 1}, {max_items, 2}])),
        owner(alice, set, configure(Node, [{title, <<"Again">>}])),
        no(owner(bob, set, configure(Node, [{title, <<"Bob's">>}]))),
        no(owner(alice, set, configure(Node, [{access_model, nonsense}]))),
        no(owner(alice, set, configure(<<"nothing">>, [{title, <<"Title">>}]))),
        owner(alice, get, ["<configure node='", Node, "'/>"]),
        info(bob, {?SERVICE, Node}),
        items(bob, {?SERVICE, <<>>}),
        pubsub(alice, set, publish(Node, <<"1">>)),
        pubsub(alice, set, publish(Node, <<"2">>)),
        pubsub(alice, set, publish(Node, <<"3">>)),
        pubsub(bob, get, get_items(Node))
    ]).

items_are_published_and_read(Config) ->
    Node = <<"items">>,
    compare(Config, [bob], [
        pubsub(alice, set, [create(Node), configure([{notify_retract, 1}])]),
        pubsub(bob, set, subscribe(Node, bob)),
        pubsub(alice, set, publish(Node, <<"1">>)),
        pubsub(alice, set, publish(Node, <<"2">>)),
        pubsub(alice, set, publish(Node, <<"1">>)),
        pubsub(alice, set, ["<publish node='", Node, "'><item><a xmlns='urn:a'/></item></publish>"]),
        no(pubsub(alice, set, ["<publish node='", Node, "'/>"])),
        no(pubsub(alice, set, ["<publish node='", Node, "'><item id='e'/></publish>"])),
        %% Bare text is for the microblog only.
        no(pubsub(alice, set, ["<publish node='", Node, "'><item id='t'>bare</item></publish>"])),
        no(pubsub(alice, set, [
            "<publish node='", Node, "'><item id='m'><a xmlns='urn:a'/><b xmlns='urn:b'/></item></publish>"
        ])),
        pubsub(alice, set, [
            "<publish node='", Node, "'><item id='x'>around<a xmlns='urn:a'>in</a></item></publish>"
        ]),
        no(pubsub(bob, set, publish(Node, <<"3">>))),
        %% A node is made by the first item.
        pubsub(alice, set, publish(<<"made">>, <<"1">>)),
        no(pubsub(alice, set, [
            publish(Node, <<"4">>),
            "<publish-options><x xmlns='jabber:x:data' type='submit'>",
            field(<<"FORM_TYPE">>, <<"http://jabber.org/protocol/pubsub#publish-options">>),
            field(<<"pubsub#access_model">>, <<"whitelist">>), "</x></publish-options>"
        ])),
        pubsub(bob, get, get_items(Node)),
        pubsub(bob, get, ["<items node='", Node, "' max_items='1'/>"]),
        pubsub(bob, get, ["<items node='", Node, "'><item id='2'/></items>"]),
        pubsub(bob, get, ["<items node='", Node, "'><item id='nothing'/></items>"]),
        no(pubsub(bob, get, get_items(<<"nothing">>))),
        items(bob, {?SERVICE, Node}),
        no(pubsub(bob, set, retract(Node, <<"1">>))),
        pubsub(alice, set, retract(Node, <<"1">>)),
        no(pubsub(alice, set, retract(Node, <<"1">>))),
        pubsub(bob, get, get_items(Node))
    ]).

items_are_paged(Config) ->
    Node = <<"paged">>,
    Page = fun(Wish) ->
        ["<items node='", Node, "'/><set xmlns='http://jabber.org/protocol/rsm'>", Wish, "</set>"]
    end,
    Next = fun(Answer) ->
        Last = fxml:get_path_s(Answer, [
            {elem, <<"pubsub">>}, {elem, <<"set">>}, {elem, <<"last">>}, cdata
        ]),
        true = Last =/= <<>>,
        Page(["<max>2</max><after>", Last, "</after>"])
    end,
    compare(Config, [],
        [pubsub(alice, set, create(Node))] ++
            [pubsub(alice, set, publish(Node, integer_to_binary(N))) || N <- lists:seq(1, 6)] ++
            [
                pubsub(bob, get, Page(<<"<max>2</max>">>)),
                pubsub(bob, get, Next),
                pubsub(bob, get, Next),
                pubsub(bob, get, Page(<<"<max>2</max><before/>">>)),
                pubsub(bob, get, Page(<<"<max>0</max>">>)),
                pubsub(bob, get, Page(<<"<max>2</max><index>3</index>">>)),
                to(bob, ?SERVICE, get, [
                    "<query xmlns='http://jabber.org/protocol/disco#items' node='", Node, "'>",
                    "<set xmlns='http://jabber.org/protocol/rsm'><max>3</max></set></query>"
                ])
            ]
    ).

subscriptions(Config) ->
    Node = <<"subscribed">>,
    compare(Config, [bob, carol], [
        pubsub(alice, set, [create(Node), configure([{send_last_published_item, on_sub}])]),
        pubsub(alice, set, publish(Node, <<"1">>)),
        pubsub(bob, set, subscribe(Node, bob)),
        pubsub(bob, set, subscribe(Node, bob)),
        no(pubsub(bob, set, subscribe(Node, alice))),
        no(pubsub(bob, set, subscribe(<<"nothing">>, bob))),
        pubsub(carol, set, ["<subscribe node='", Node, "' jid='carol@localhost/carol'/>"]),
        pubsub(alice, set, publish(Node, <<"2">>)),
        pubsub(bob, get, <<"<subscriptions/>">>),
        pubsub(bob, get, ["<subscriptions node='", Node, "'/>"]),
        pubsub(bob, get, <<"<affiliations/>">>),
        no(pubsub(bob, get, ["<options node='", Node, "' jid='bob@localhost'/>"])),
        owner(alice, get, ["<subscriptions node='", Node, "'/>"]),
        no(owner(bob, get, ["<subscriptions node='", Node, "'/>"])),
        owner(alice, set, [
            "<subscriptions node='", Node, "'><subscription jid='carol@localhost' ",
            "subscription='subscribed'/></subscriptions>"
        ]),
        pubsub(alice, set, publish(Node, <<"3">>)),
        pubsub(bob, set, ["<unsubscribe node='", Node, "' jid='bob@localhost'/>"]),
        no(pubsub(bob, set, ["<unsubscribe node='", Node, "' jid='bob@localhost'/>"])),
        pubsub(alice, set, publish(Node, <<"4">>)),
        logout(carol),
        pubsub(alice, set, publish(Node, <<"5">>)),
        login(carol, carol, <<"carol">>),
        send(carol, <<"<presence/>">>)
    ]).

affiliations_and_access(Config) ->
    Nodes = [<<"open">>, <<"presence">>, <<"roster">>, <<"whitelist">>, <<"authorize">>],
    Affiliation = fun(Node, Who, Value) ->
        owner(alice, set, [
            "<affiliations node='", Node, "'><affiliation jid='", atom_to_binary(Who),
            "@localhost' affiliation='", Value, "'/></affiliations>"
        ])
    end,
    Denied = fun(Node, Who) ->
        [no(pubsub(Who, set, subscribe(Node, Who))), no(pubsub(Who, get, get_items(Node)))]
    end,
    Granted = fun(Node, Who) ->
        [pubsub(Who, set, subscribe(Node, Who)), pubsub(Who, get, get_items(Node))]
    end,
    compare(Config, [alice, bob, carol],
        [pubsub(alice, set, [create(Node), configure([{access_model, Node}])]) || Node <- Nodes] ++
            [pubsub(alice, set, publish(Node, <<"1">>)) || Node <- Nodes] ++
            Granted(<<"open">>, carol) ++
            Granted(<<"presence">>, bob) ++ Denied(<<"presence">>, carol) ++
            Denied(<<"roster">>, carol) ++
            Denied(<<"whitelist">>, bob) ++
            [Affiliation(<<"whitelist">>, bob, <<"member">>)] ++
            Granted(<<"whitelist">>, bob) ++
            [
                Affiliation(<<"whitelist">>, carol, <<"publisher">>),
                pubsub(carol, set, publish(<<"whitelist">>, <<"of-carol">>)),
                Affiliation(<<"open">>, carol, <<"outcast">>)
            ] ++
            Denied(<<"open">>, carol) ++
            [
                owner(alice, get, <<"<affiliations node='whitelist'/>">>),
                no(owner(bob, get, <<"<affiliations node='whitelist'/>">>)),
                pubsub(carol, get, <<"<affiliations/>">>),
                pubsub(alice, get, <<"<affiliations/>">>),
                %% Alice is asked, sees who waits, and lets Bob in.
                pubsub(bob, set, subscribe(<<"authorize">>, bob)),
                no(pubsub(bob, get, get_items(<<"authorize">>))),
                to(alice, ?SERVICE, set, [
                    "<command xmlns='http://jabber.org/protocol/commands' action='execute' ",
                    "node='http://jabber.org/protocol/pubsub#get-pending'/>"
                ]),
                send(alice, [
                    "<message to='pubsub.localhost'><x xmlns='jabber:x:data' type='submit'>",
                    field(<<"FORM_TYPE">>, <<"http://jabber.org/protocol/pubsub#subscribe_authorization">>),
                    field(<<"pubsub#node">>, <<"authorize">>),
                    field(<<"pubsub#subscriber_jid">>, <<"bob@localhost">>),
                    field(<<"pubsub#allow">>, <<"true">>), "</x></message>"
                ]),
                pubsub(alice, set, publish(<<"authorize">>, <<"2">>)),
                pubsub(bob, get, get_items(<<"authorize">>))
            ]
    ).

purge_and_delete(Config) ->
    Node = <<"doomed">>,
    compare(Config, [bob], [
        pubsub(alice, set, [create(Node), configure([{notify_retract, 1}, {notify_delete, 1}])]),
        pubsub(bob, set, subscribe(Node, bob)),
        pubsub(alice, set, publish(Node, <<"1">>)),
        pubsub(alice, set, publish(Node, <<"2">>)),
        no(owner(bob, set, ["<purge node='", Node, "'/>"])),
        owner(alice, set, ["<purge node='", Node, "'/>"]),
        pubsub(bob, get, get_items(Node)),
        no(owner(alice, set, <<"<purge node='nothing'/>">>)),
        no(owner(bob, set, delete(Node))),
        owner(alice, set, delete(Node)),
        no(owner(alice, set, delete(Node))),
        no(pubsub(bob, get, get_items(Node))),
        pubsub(bob, get, <<"<subscriptions/>">>)
    ]).

the_service_itself(Config) ->
    compare(Config, [], [
        info(alice, {?SERVICE, <<>>}),
        items(alice, {?SERVICE, <<>>}),
        items(alice, {<<"localhost">>, <<>>}),
        info(alice, {<<"localhost">>, <<>>}),
        items(alice, {?SERVICE, <<"http://jabber.org/protocol/commands">>}),
        info(alice, {?SERVICE, <<"http://jabber.org/protocol/commands">>}),
        info(alice, {?SERVICE, <<"http://jabber.org/protocol/pubsub#get-pending">>}),
        to(alice, ?SERVICE, get, <<"<vCard xmlns='vcard-temp'/>">>),
        no(to(alice, ?SERVICE, set, <<"<vCard xmlns='vcard-temp'/>">>)),
        no(to(alice, ?SERVICE, get, <<"<query xmlns='urn:unknown'/>">>)),
        no(to(alice, ?SERVICE, set, <<"<query xmlns='http://jabber.org/protocol/disco#items'/>">>)),
        no(pubsub(alice, get, <<>>)),
        no(pubsub(alice, set, <<"<nonsense/>">>)),
        no(owner(alice, get, <<>>)),
        no(to(alice, ?SERVICE, set, [
            "<command xmlns='http://jabber.org/protocol/commands' action='execute' node='nothing'/>"
        ])),
        send(alice, <<"<message to='pubsub.localhost'><body>Anybody there?</body></message>">>),
        send(alice, <<"<presence to='pubsub.localhost'/>">>),
        no(to(alice, <<"pubsub.localhost/resource">>, get, <<"<ping xmlns='urn:xmpp:ping'/>">>)),
        no(to(alice, <<"somebody@pubsub.localhost">>, get, <<"<ping xmlns='urn:xmpp:ping'/>">>))
    ]).
