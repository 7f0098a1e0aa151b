%%% @doc Payloads: how they come from the wire, lie in storage and go back.
%%%
%%% XEP-0060 knows elements only, and so does pubsub storage. A payload that is bare text is stored
%%% in a wrapper element; {@link unwrap/1} takes it out again. The wrapper is told by its namespace,
%%% so an element that a client publishes in that very namespace is wrapped too.
-module(twitter_post).

-include_lib("xmpp/include/xmpp.hrl").

-export([wrap/1, payload/1, unwrap/1, is_payload/1, check/2, text/1, title/1, readable/1]).

-define(NS_WRAPPER, <<"urn:ejabberd:twitter:payload">>).

%% @doc Wraps the text payloads of a raw publish request to a node of ours.
-spec wrap(xmlel()) -> xmlel().
wrap(#xmlel{name = <<"pubsub">>, children = Els} = Pubsub) ->
    Pubsub#xmlel{children = [wrap_publish(El) || El <- Els]};
wrap(El) ->
    El.

wrap_publish(#xmlel{name = <<"publish">>, attrs = Attrs, children = Els} = Publish) ->
    case twitter_path:is_reserved(fxml:get_attr_s(<<"node">>, Attrs)) of
        true -> Publish#xmlel{children = [wrap_item(El) || El <- Els]};
        false -> Publish
    end;
wrap_publish(El) ->
    El.

wrap_item(#xmlel{name = <<"item">>, children = Els} = Item) ->
    Item#xmlel{children = payload(Els)};
wrap_item(El) ->
    El.

%% @doc The payload to be stored, from what an item holds on the wire.
-spec payload([xmlel() | {xmlcdata, binary()}]) -> [xmlel()].
payload(Els) ->
    Text = fxml:get_cdata(Els),
    Elements = [wrap_element(El) || #xmlel{} = El <- Els],
    case is_blank(Text) of
        true -> Elements;
        false -> [wrapper([{xmlcdata, Text}]) | Elements]
    end.

wrap_element(El) ->
    case is_wrapper(El) of
        true -> wrapper([El]);
        false -> El
    end.

wrapper(Content) ->
    #xmlel{name = <<"payload">>, attrs = [{<<"xmlns">>, ?NS_WRAPPER}], children = Content}.

is_wrapper(El) ->
    fxml:get_tag_attr_s(<<"xmlns">>, El) =:= ?NS_WRAPPER.

is_blank(Text) ->
    string:trim(Text) =:= <<>>.

%% @doc The payload as it was published, from the one that is stored.
-spec unwrap([xmlel()]) -> [xmlel() | {xmlcdata, binary()}].
unwrap([#xmlel{children = Content} = El]) ->
    case is_wrapper(El) of
        true -> Content;
        false -> [El]
    end;
unwrap(Payload) ->
    Payload.

%% @doc Whether this can be sent: a list of elements and text, all the way down. Cost: as its size.
-spec is_payload(term()) -> boolean().
is_payload([Node | Nodes]) -> is_node(Node) andalso is_payload(Nodes);
is_payload(Nodes) -> Nodes =:= [].

is_node(#xmlel{name = Name, attrs = Attrs, children = Children}) ->
    is_text(Name) andalso is_payload(Children) andalso are_attrs(Attrs);
is_node({xmlcdata, Text}) ->
    is_text(Text);
is_node(_) ->
    false.

are_attrs([{Name, Value} | Attrs]) -> is_text(Name) andalso is_text(Value) andalso are_attrs(Attrs);
are_attrs(Attrs) -> Attrs =:= [].

is_text(Text) ->
    is_binary(Text) andalso unicode:characters_to_binary(Text) =:= Text.

%% @doc Checks the items of a publish request, wrapped as {@link wrap/1} leaves them.
-spec check([#ps_item{}], MaxBytes :: non_neg_integer()) ->
          ok | {error, twitter_error:reason()}.
check(Items, MaxBytes) ->
    {Id, Payload} = case Items of
                        [#ps_item{id = ItemId, sub_els = Els} | _] -> {ItemId, Els};
                        [] -> {<<>>, []}
                    end,
    %% Before anything else: what turns elements into XML recurses as deep as they are nested, in C.
    case is_deeper(Payload, twitter_nif:max_depth() + 1) of
        true -> {error, too_deep};
        false -> check(length(Items), Id, Payload, MaxBytes)
    end.

check(Items, Id, Payload, MaxBytes) ->
    First = case Payload of
                [El | _] -> readable([El]);
                [] -> {text, <<>>}
            end,
    case twitter_nif:check_draft(Items, Id, length(Payload), First, MaxBytes) of
        {ok, checked} -> ok;
        {error, Reason} -> {error, Reason}
    end.

%% One level more than the core allows: a wrapper may be around the payload.
is_deeper(_Els, Depth) when Depth < 0 -> true;
is_deeper(Els, Depth) ->
    lists:any(fun(#xmlel{children = Children}) -> is_deeper(Children, Depth - 1);
                 (_) -> false
              end, Els).

%% @doc What a person reads in a stored payload.
-spec text([xmlel()]) -> binary().
text(Payload) -> twitter_nif:text(readable(Payload)).

%% @doc The same as one short line.
-spec title([xmlel()]) -> binary().
title(Payload) -> twitter_nif:title(readable(Payload)).

%% @doc The stored payload as the core reads it.
-spec readable([xmlel()]) -> twitter_nif:payload().
readable(Payload) ->
    case unwrap(Payload) of
        [#xmlel{} = El] -> {element, fxml:element_to_binary(El)};
        Content -> {text, fxml:get_cdata(Content)}
    end.
