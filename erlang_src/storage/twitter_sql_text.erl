%%% @doc How names, ids and payloads stand in SQL. MySQL takes texts for the same that differ in case or accents
%%% only, passes over control characters, and its unique keys see the beginning of a text: 36 characters of an item
%%% id, 120 of a node id. So what is short and has small letters, digits and `-' only stands there as it is.
%%% Anything else begins with `*' and 35 digits of its SHA-256, and ends as it is: two ids that a database could
%%% mix up differ in those digits, whatever its collation.
%%%
%%% Payloads are XML, as `node_flat_sql' has them, but so that reading gives back what was written: a parser makes
%%% a space or a line break of characters that do not come as references.
-module(twitter_sql_text).

-include_lib("xmpp/include/xmpp.hrl").

-export([stored/1, author/1, item/1, id/1, parent/0, is_parent/1]).
-export([moment/1, timestamp/1, payload/1, elements/1]).

-define(MAX_ITEM, 36).
-define(MAX_NODE, 120).
-define(DIGITS, 35).
%% The parser for elements passes over `xmlns=''', which means something below another namespace.
-define(NO_NAMESPACE, "urn:ejabberd:twitter:none:").

%% @doc The id of the node that stores an author's posts.
-spec stored(twitter_nif:jid()) -> binary().
stored(Author) ->
    Plain = named(Author),
    case byte_size(Plain) =< ?MAX_NODE andalso is_plain(Author, <<"@._-">>) of
        true -> Plain;
        false -> named(<<$*, (digits(Author))/binary, $/, Author/binary>>)
    end.

named(Name) ->
    <<"/twitter/", Name/binary, "/MyStream">>.

%% @doc The author whose posts a node stores.
-spec author(Node :: binary()) -> {ok, twitter_nif:jid()} | none.
author(<<"/twitter/*", _:?DIGITS/binary, $/, Rest/binary>> = Node) ->
    Length = byte_size(Rest) - byte_size(<<"/MyStream">>),
    case Rest of
        <<Author:Length/binary, "/MyStream">> when Length > 0 -> checked(Author, Node);
        _ -> none
    end;
author(<<"/twitter/", Rest/binary>> = Node) ->
    Length = byte_size(Rest) - byte_size(<<"/MyStream">>),
    case Rest of
        <<Author:Length/binary, "/MyStream">> when Length > 0 -> checked(Author, Node);
        _ -> none
    end;
author(_) ->
    none.

%% One spelling only.
checked(Author, Node) ->
    case stored(Author) of
        Node -> {ok, Author};
        _ -> none
    end.

%% @doc The id of an item.
-spec item(Id :: binary()) -> Stored :: binary().
item(Id) ->
    case byte_size(Id) =< ?MAX_ITEM andalso is_plain(Id, <<"-">>) of
        true -> Id;
        false -> <<$*, (digits(Id))/binary, (escaped(Id))/binary>>
    end.

%% @doc The id that stands there so; `none' if none does.
-spec id(Stored :: binary()) -> {ok, Id :: binary()} | none.
id(Stored) ->
    Id = case Stored of
             <<$*, _:?DIGITS/binary, Rest/binary>> -> unescaped(Rest);
             _ -> Stored
         end,
    case item(Id) of
        Stored -> {ok, Id};
        _ -> none
    end.

%% What ejabberd_sql writes into a list of texts for PostgreSQL in another way than that reads it.
escaped(Id) ->
    << <<(escaped_byte(C))/binary>> || <<C>> <= Id >>.

escaped_byte(C) when C < $\s; C =:= $'; C =:= $% -> <<$%, (binary:encode_hex(<<C>>))/binary>>;
escaped_byte(C) -> <<C>>.

unescaped(<<$%, High, Low, Rest/binary>>) ->
    try binary:decode_hex(<<High, Low>>) of
        Byte -> <<Byte/binary, (unescaped(Rest))/binary>>
    catch
        %% Nobody writes that.
        error:badarg -> <<$%, High, Low, (unescaped(Rest))/binary>>
    end;
unescaped(<<C, Rest/binary>>) ->
    <<C, (unescaped(Rest))/binary>>;
unescaped(<<>>) ->
    <<>>.

is_plain(<<>>, _Others) -> true;
is_plain(<<C, Rest/binary>>, Others) when C >= $a, C =< $z; C >= $0, C =< $9 -> is_plain(Rest, Others);
is_plain(<<C, Rest/binary>>, Others) -> binary:match(Others, <<C>>) =/= nomatch andalso is_plain(Rest, Others).

digits(Text) ->
    <<Digits:?DIGITS/binary, _/binary>> = string:lowercase(binary:encode_hex(crypto:hash(sha256, Text))),
    Digits.

%% @doc The parent of all nodes that store posts. As in Mnesia it cannot come through XML; but it is a character
%% that MySQL does not pass over.
-spec parent() -> binary().
parent() -> <<$\v, "/twitter">>.

%% @doc Whether this is such a parent; `ejabberdctl export2sql' leaves that of Mnesia.
-spec is_parent(binary()) -> boolean().
is_parent(Parent) ->
    Parent =:= parent() orelse Parent =:= twitter_path:parent().

%% @doc A moment, as `node_flat_sql' has it: the order of the texts is that of the moments.
-spec moment(erlang:timestamp()) -> binary().
moment({Mega, Seconds, Micro}) ->
    iolist_to_binary(io_lib:format("~6..0b:~6..0b:~6..0b", [Mega, Seconds, Micro])).

%% @doc The moment; an error if it is none.
-spec timestamp(binary()) -> erlang:timestamp().
timestamp(Text) ->
    [Mega, Seconds, Micro] = binary:split(Text, <<":">>, [global]),
    {binary_to_integer(Mega), binary_to_integer(Seconds), binary_to_integer(Micro)}.

%% @doc A payload as XML.
-spec payload([xmlel()]) -> binary().
payload(Els) ->
    iolist_to_binary([element(El) || El <- Els]).

element(#xmlel{name = Name, attrs = Attrs, children = Children}) ->
    Tag = [$<, Name, [[$\s, Key, "='", attr(namespace(Key, Value)), $'] || {Key, Value} <- Attrs]],
    case Children of
        [] -> [Tag, "/>"];
        _ -> [Tag, $>, [element(Child) || Child <- Children], "</", Name, $>]
    end;
element({xmlcdata, Text}) ->
    [text(C) || <<C>> <= Text].

namespace(<<"xmlns">>, <<>>) -> <<?NO_NAMESPACE>>;
namespace(<<"xmlns">>, <<?NO_NAMESPACE, _/binary>> = Value) -> <<?NO_NAMESPACE, Value/binary>>;
namespace(_Key, Value) -> Value.

text($&) -> "&amp;";
text($<) -> "&lt;";
text($>) -> "&gt;";
text($\r) -> "&#13;";
text(C) -> C.

attr(Value) ->
    [in_attr(C) || <<C>> <= Value].

in_attr($') -> "&apos;";
in_attr($") -> "&quot;";
in_attr($\n) -> "&#10;";
in_attr($\t) -> "&#9;";
in_attr(C) -> text(C).

%% @doc The payload that stands there so; nothing if it is no XML.
-spec elements(binary()) -> [xmlel()].
elements(Text) ->
    case fxml_stream:parse_element(Text) of
        #xmlel{} = El ->
            case binary:match(Text, <<?NO_NAMESPACE>>) of
                nomatch -> [El];
                _ -> [with_namespaces(El)]
            end;
        {error, _} ->
            []
    end.

with_namespaces(#xmlel{attrs = Attrs, children = Children} = El) ->
    El#xmlel{attrs = [{Key, namespace_of(Key, Value)} || {Key, Value} <- Attrs],
             children = [with_namespaces(Child) || Child <- Children]};
with_namespaces(Text) ->
    Text.

namespace_of(<<"xmlns">>, <<?NO_NAMESPACE, Value/binary>>) -> Value;
namespace_of(_Key, Value) -> Value.
