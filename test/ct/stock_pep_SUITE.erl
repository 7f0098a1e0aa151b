%%% PEP behaves exactly as without the plugin: the same conversations with a stock server and
%%% with one that has it, compared stanza by stanza.
-module(stock_pep_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    pep_reaches_who_asks_for_it/1,
    pep_nodes_have_access_models/1,
    pep_names_below_twitter/1
]).

-import(twitter_script, [info/2, items/2, to/4, own/3, send/2, caps/2, login/3, logout/1, no/1]).
-import(twitter_stock, [
    delete/1, get_items/1, publish/2, retract/2, configure/2, field/2, compare/3
]).

-define(TUNE, <<"http://jabber.org/protocol/tune">>).
-define(AVATAR, <<"urn:xmpp:avatar:metadata">>).
-define(BOOKMARKS, <<"urn:xmpp:bookmarks:1">>).
-define(DEVICES, <<"eu.siacs.conversations.axolotl.devicelist">>).


all() ->
    [
        pep_reaches_who_asks_for_it,
        pep_nodes_have_access_models,
        pep_names_below_twitter
    ].

init_per_suite(Config) ->
    twitter_stock:start(Config, "stock_pep").

end_per_suite(Config) ->
    twitter_stock:stop(Config).

init_per_testcase(_Case, Config) ->
    ok = twitter_stock:enter(Config),
    Config.

end_per_testcase(_Case, Config) ->
    twitter_stock:leave(Config).

pep_reaches_who_asks_for_it(Config) ->
    Alice = <<"alice@localhost">>,
    compare(Config, [alice, bob, phone], [
        caps(bob, [<<?TUNE/binary, "+notify">>, <<?AVATAR/binary, "+notify">>]),
        caps(carol, [<<?TUNE/binary, "+notify">>]),
        login(phone, alice, <<"phone">>),
        caps(phone, [<<?BOOKMARKS/binary, "+notify">>, <<?AVATAR/binary, "+notify">>]),
        own(alice, set, publish(<<"urn:xmpp:avatar:data">>, <<"hash">>)),
        own(alice, set, publish(?AVATAR, <<"hash">>)),
        own(alice, set, publish(?TUNE, <<"1">>)),
        own(alice, set, publish(?TUNE, <<"2">>)),
        own(alice, set, [
            publish(?BOOKMARKS, <<"room@conference.localhost">>),
            "<publish-options><x xmlns='jabber:x:data' type='submit'>",
            field(<<"FORM_TYPE">>, <<"http://jabber.org/protocol/pubsub#publish-options">>),
            field(<<"pubsub#persist_items">>, <<"true">>),
            field(<<"pubsub#access_model">>, <<"whitelist">>), "</x></publish-options>"
        ]),
        info(bob, {Alice, <<>>}),
        items(bob, {Alice, <<>>}),
        no(items(carol, {Alice, <<>>})),
        %% Who comes later says what he wants with his first presence.
        logout(bob),
        own(alice, set, publish(?TUNE, <<"3">>)),
        login(bob, bob, <<"later">>),
        caps(bob, [<<?TUNE/binary, "+notify">>]),
        own(alice, set, publish(?TUNE, <<"4">>)),
        own(alice, set, publish(?AVATAR, <<"other">>)),
        caps(bob, [<<?AVATAR/binary, "+notify">>]),
        own(alice, set, ["<retract node='", ?AVATAR, "' notify='1'><item id='other'/></retract>"]),
        own(alice, get, get_items(?BOOKMARKS)),
        send(alice, <<"<presence type='unavailable'/>">>),
        send(alice, <<"<presence/>">>)
    ]).

pep_nodes_have_access_models(Config) ->
    Alice = <<"alice@localhost">>,
    Of = fun(Node) -> [<<"<pubsub xmlns='http://jabber.org/protocol/pubsub'>">>, get_items(Node), <<"</pubsub>">>] end,
    Owner = fun(Type, Content) ->
        to(alice, none, Type, [
            <<"<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>">>, Content, <<"</pubsub>">>
        ])
    end,
    compare(Config, [alice, bob], [
        own(alice, set, publish(?TUNE, <<"1">>)),
        to(bob, Alice, get, Of(?TUNE)),
        no(to(carol, Alice, get, Of(?TUNE))),
        own(alice, set, [publish(?DEVICES, <<"current">>)]),
        Owner(get, ["<configure node='", ?DEVICES, "'/>"]),
        Owner(set, configure(?DEVICES, [{access_model, open}])),
        to(carol, Alice, get, Of(?DEVICES)),
        Owner(set, configure(?DEVICES, [{access_model, whitelist}])),
        no(to(carol, Alice, get, Of(?DEVICES))),
        no(to(bob, Alice, get, Of(?DEVICES))),
        Owner(get, ["<affiliations node='", ?DEVICES, "'/>"]),
        no(to(bob, Alice, set, [
            <<"<pubsub xmlns='http://jabber.org/protocol/pubsub'>">>, publish(?TUNE, <<"2">>), <<"</pubsub>">>
        ])),
        to(bob, Alice, set, [
            <<"<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='">>, ?TUNE,
            <<"' jid='bob@localhost'/></pubsub>">>
        ]),
        own(alice, set, publish(?TUNE, <<"2">>)),
        info(bob, {Alice, ?TUNE}),
        items(bob, {Alice, ?TUNE}),
        Owner(set, ["<purge node='", ?TUNE, "'/>"]),
        Owner(set, delete(?TUNE)),
        no(to(bob, Alice, get, Of(?TUNE))),
        own(alice, get, <<"<subscriptions/>">>),
        own(alice, get, <<"<affiliations/>">>)
    ]).

%% An account's own nodes are called as their owner likes.
pep_names_below_twitter(Config) ->
    Alice = <<"alice@localhost">>,
    Node = <<"/twitter/MyStream">>,
    compare(Config, [alice, bob], [
        caps(bob, [<<Node/binary, "+notify">>]),
        own(alice, set, publish(<<"/twitter">>, <<"1">>)),
        own(alice, set, publish(Node, <<"1">>)),
        no(own(alice, set, ["<publish node='", Node, "'><item>bare</item></publish>"])),
        own(alice, get, get_items(Node)),
        items(bob, {Alice, <<>>}),
        info(bob, {Alice, Node}),
        own(alice, set, retract(Node, <<"1">>))
    ]).
