%%% Proves that ordinary pubsub and PEP work on a server: one conversation of each.
-module(twitter_ordinary).

-include_lib("fast_xml/include/fxml.hrl").

-export([check/1, pubsub_works/1, pep_works/1]).

-spec check(twitter_server:server()) -> ok.
check(Server) ->
    ok = pubsub_works(Server),
    ok = pep_works(Server).

%% @doc Alice makes a node, Bob subscribes, gets the event and reads the item.
-spec pubsub_works(twitter_server:server()) -> ok.
pubsub_works(Server) ->
    [Alice, Bob] = two_friends(Server),
    Node = <<"news-", (integer_to_binary(erlang:unique_integer([positive])))/binary>>,
    <<"result">> = set(Alice, [<<"<create node='">>, Node, <<"'/>">>]),
    <<"result">> = set(Bob, [
        <<"<subscribe node='">>, Node, <<"' jid='">>, twitter_client:bare(Bob), <<"'/>">>
    ]),
    <<"result">> = set(Alice, [
        <<"<publish node='">>, Node, <<"'><item id='1'><news xmlns='urn:news'>ordinary</news>">>,
        <<"</item></publish>">>
    ]),
    _ = twitter_client:expect(Bob, twitter_events:is_event(Node, <<"1">>)),
    [[#xmlel{name = <<"news">>, children = [{xmlcdata, <<"ordinary">>}]}]] =
        twitter_reading:payloads(Bob, Node),
    true = lists:keymember(Node, 1, twitter_reading:rows(Bob, <<>>)),
    close([Alice, Bob]).

%% @doc Bob's client says by its capabilities what it wants, and gets Alice's tune.
-spec pep_works(twitter_server:server()) -> ok.
pep_works(Server) ->
    [Alice, Bob] = two_friends(Server),
    Tune = <<"http://jabber.org/protocol/tune">>,
    ok = twitter_caps:announce(Server, Bob, [<<Tune/binary, "+notify">>]),
    Answer = twitter_client:request(Alice, [
        <<"<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='">>, Tune,
        <<"'><item id='1'><tune xmlns='">>, Tune, <<"'>Heroes</tune></item></publish></pubsub></iq>">>
    ]),
    <<"result">> = fxml:get_tag_attr_s(<<"type">>, Answer),
    Event = twitter_client:expect(Bob, twitter_events:is_event(Tune, <<"1">>)),
    true = twitter_client:bare(Alice) =:= fxml:get_tag_attr_s(<<"from">>, Event),
    close([Alice, Bob]).

two_friends(Server) ->
    Alice = twitter_users:fresh(Server, <<"alice">>),
    Bob = twitter_users:fresh(Server, <<"bob">>),
    ok = twitter_users:befriend(Server, Alice, Bob),
    [twitter_users:login(Server, User) || User <- [Alice, Bob]].

set(Client, Content) ->
    fxml:get_tag_attr_s(<<"type">>, twitter_requests:pubsub(Client, set, Content)).

close(Clients) ->
    lists:foreach(fun twitter_client:close/1, Clients).
